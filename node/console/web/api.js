// The admin API and the S3 API of the node that serves this page.
import { W } from "./words.js";
import { session, signOut } from "./session.js";
import { digest, encodePath, encodeQuery, presigned, signed } from "./sign.js";

const adminPath = "/cairn.admin./cairn.admin.v1.AdminService/";
const s3Path = "/s3";
const own = { "X-Cairn-Console": "1" };

let config = null;     // Where S3 is: { scheme, port, region }.
let clockAhead = 0;    // By how many milliseconds the node's clock is ahead of this browser's.

// now is the time by the node's clock, which judges signatures.
export const now = () => Date.now() + clockAhead;

// Failure is an error of an API: its code, and a sentence for whoever sits here.
export class Failure extends Error {
  constructor(code, message, status) {
    super(message || code);
    this.code = code;
    this.status = status;
  }
  get denied() { return ["AccessDenied", "permission_denied", "AllAccessDisabled"].includes(this.code); }
  get missing() { return this.status === 404; }
}

export async function setUp() {
  const answer = await fetch("/config.json", { cache: "no-store" });
  if (!answer.ok) throw new Failure("setup", (await answer.text()).trim(), answer.status);
  config = await answer.json();
  const date = Date.parse(answer.headers.get("Date"));
  if (date && Math.abs(date - Date.now()) > 2000) clockAhead = date - Date.now();
}

// s3Origin is where the S3 endpoint is, as this browser reaches the node.
export function s3Origin() {
  const standard = { http: "80", https: "443" }[config.scheme] === config.port;
  return config.scheme + "://" + location.hostname + (standard ? "" : ":" + config.port);
}

async function lost(path) { throw new Failure("unavailable", W.errors.unreachable(path), 0); }

// ended ends the session where an answer says that its credentials hold no more.
function ended(f) {
  if (["ExpiredToken", "TokenRefreshRequired", "InvalidAccessKeyId", "InvalidToken"].includes(f.code) && session()) signOut(W.session.expired);
  return f;
}

// admin calls a method of the admin API and returns its answer.
export async function admin(method, request = {}) {
  const path = adminPath + method, body = JSON.stringify(request);
  const headers = signed(session(), { method: "POST", host: location.host, path: encodePath(path), query: "", headers: { "Content-Type": "application/json" },
    hash: await digest(body), region: config.region, service: "s3", time: now() });
  const answer = await fetch(path, { method: "POST", headers, body }).catch(() => lost(location.host));
  const text = await answer.text();
  let read = {};
  try { read = JSON.parse(text); } catch { /* It is no JSON: what follows tells. */ }
  if (!answer.ok) {
    if (/ExpiredToken|token.*expired/i.test(read.message || "")) throw ended(new Failure("ExpiredToken", read.message, answer.status));
    throw new Failure(read.code || String(answer.status), read.message || text.slice(0, 300) || W.errors.status(answer.status), answer.status);
  }
  return read;
}

// watch calls a streaming method of the admin API; each message goes to `each` until the signal ends it.
export async function watch(method, request, each, signal) {
  const path = adminPath + method, text = new TextEncoder().encode(JSON.stringify(request));
  const body = new Uint8Array(5 + text.length);
  new DataView(body.buffer).setUint32(1, text.length);
  body.set(text, 5);
  const headers = signed(session(), { method: "POST", host: location.host, path: encodePath(path), query: "",
    headers: { "Content-Type": "application/connect+json", "Connect-Protocol-Version": "1" },
    hash: await digest(body), region: config.region, service: "s3", time: now() });
  const answer = await fetch(path, { method: "POST", headers, body, signal });
  if (!answer.ok) throw new Failure(String(answer.status), (await answer.text()).slice(0, 300), answer.status);
  const reader = answer.body.getReader();
  let held = new Uint8Array(0);
  for (;;) {
    const { done, value } = await reader.read();
    if (done) return;
    const all = new Uint8Array(held.length + value.length);
    all.set(held);
    all.set(value, held.length);
    held = all;
    for (;;) {
      if (held.length < 5) break;
      const size = new DataView(held.buffer, held.byteOffset).getUint32(1);
      if (held.length < 5 + size) break;
      const message = JSON.parse(new TextDecoder().decode(held.subarray(5, 5 + size)));
      if (held[0] & 2) {
        if (message.error) throw new Failure(message.error.code, message.error.message, 200);
        return;
      }
      each(message);
      held = held.slice(5 + size);
    }
  }
}

// address is the canonical path of a bucket or an object.
export function address(bucket, key) {
  const path = "/" + [bucket, key].filter((p) => p !== undefined && p !== "").join("/");
  // Browsers resolve these before they send, so the request would be about something else.
  if (path.split("/").some((s) => s === "." || s === "..")) throw new Failure("Unaddressable", W.errors.dots, 0);
  return encodePath(path);
}

// s3Request returns the URL and the headers of a signed request to S3.
// A checked one says its body's checksum, as S3 asks for documents of buckets.
export async function s3Request(method, bucket, key, { query = {}, headers = {}, body, as, checked, service = "s3" } = {}) {
  const path = bucket === undefined ? "/" : address(bucket, key), text = encodeQuery(query);
  const hash = await digest(body === undefined ? "" : body);
  if (checked) headers = { ...headers, "x-amz-checksum-sha256": btoa(String.fromCharCode(...hash.match(/../g).map((x) => parseInt(x, 16)))) };
  return { url: s3Path + path + (text ? "?" + text : ""),
    headers: { ...own, ...signed(as || session(), { method, host: location.host, path, query: text, headers, hash, region: config.region, service, time: now() }) } };
}

// s3 makes a request to S3. It returns the answer, whose body is still to be read.
export async function s3(method, bucket, key, options = {}) {
  const { url, headers } = await s3Request(method, bucket, key, options);
  const answer = await fetch(url, { method, headers, body: options.body, signal: options.signal, cache: "no-store" }).catch((e) => {
    if (e.name === "AbortError") throw e;
    return lost(location.host);
  });
  if (!answer.ok) throw ended(failureOf(answer.status, method === "HEAD" ? "" : await answer.text()));
  return answer;
}

// failureOf reads an error document of S3 or STS.
export function failureOf(status, text) {
  const error = text.trimStart().startsWith("<") ? parse(text).querySelector("Error") : null;
  const code = error?.querySelector("Code")?.textContent || { 403: "AccessDenied", 404: "NotFound" }[status] || String(status);
  return new Failure(code, error?.querySelector("Message")?.textContent || (text && !error ? text.slice(0, 300) : W.errors.status(status)), status);
}

export const parse = (text) => new DOMParser().parseFromString(text, "application/xml");

// s3xml is s3 for answers that are documents.
export async function s3xml(...request) {
  const doc = parse(await (await s3(...request)).text());
  const error = doc.documentElement?.nodeName === "Error" ? doc.documentElement : null;
  if (error) throw new Failure(get(error, "Code"), get(error, "Message"), 200); // Some answers fail after they began.
  return doc;
}

// get is the text of the first element of a name; children are those of a name right below an element.
export const get = (node, name) => node?.getElementsByTagName(name)[0]?.textContent || "";
export const children = (node, name) => [...(node?.getElementsByTagName(name) || [])];

// decoded is a key of a list that was asked for with encoding-type=url.
export function decoded(text) {
  try { return decodeURIComponent(text.replace(/\+/g, "%20")); } catch { return text; }
}

// xmlText escapes a text for a document.
export const xmlText = (t) => String(t).replace(/[&<>"']/g, (c) => ({ "&": "&amp;", "<": "&lt;", ">": "&gt;", '"': "&quot;", "'": "&apos;" })[c]);

// presign returns a URL at the S3 origin.
export const presign = (bucket, key, seconds, query = {}, method = "GET") =>
  presigned(session(), { method, origin: s3Origin(), path: address(bucket, key), query, region: config.region, seconds, time: now() });

const downloadSeconds = 900; // A download has begun by then.

// download hands an object to the browser, which keeps it as a file and shows nothing of it.
export function download(bucket, key, version) {
  const a = document.createElement("a");
  a.href = presign(bucket, key, downloadSeconds, { versionId: version, "response-content-disposition": "attachment" });
  a.download = key.split("/").pop();
  a.click();
}

async function sts(as, parameters) {
  const body = new TextEncoder().encode(encodeQuery({ Version: "2011-06-15", ...parameters }));
  const answer = await s3("POST", undefined, undefined, { as, body, service: "sts", headers: { "Content-Type": "application/x-www-form-urlencoded" } });
  return parse(await answer.text());
}

// sessionToken returns temporary credentials of whoever has the keys. The root of an account gets them for an
// hour at most, others for as long as is asked.
export async function sessionToken(keys) {
  const doc = await sts(keys, { Action: "GetSessionToken", DurationSeconds: 12 * 3600 });
  return { accessKey: get(doc, "AccessKeyId"), secret: get(doc, "SecretAccessKey"), token: get(doc, "SessionToken"),
    expires: Date.parse(get(doc, "Expiration")) - clockAhead };
}

// callerIdentity says who credentials stand for.
export async function callerIdentity(as) {
  const doc = await sts(as, { Action: "GetCallerIdentity" });
  const arn = get(doc, "Arn");
  return { arn, account: get(doc, "Account"), name: arn.split(/[:/]/).pop() };
}
