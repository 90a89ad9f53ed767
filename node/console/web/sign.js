// AWS Signature Version 4, of requests in their headers and of URLs in their query. The page signs every
// request by itself; crypto.subtle is missing where the console is served without TLS.
import { sha256 } from "./vendor/noble/sha2.js";
import { hmac } from "./vendor/noble/hmac.js";
import { bytesToHex, utf8ToBytes } from "./vendor/noble/utils.js";

const algorithm = "AWS4-HMAC-SHA256";

// encode is the encoding of names in the canonical form, which is stricter than encodeURIComponent.
export const encode = (text) =>
  encodeURIComponent(text).replace(/[!'()*]/g, (c) => "%" + c.charCodeAt(0).toString(16).toUpperCase());

// encodePath encodes a path, whose slashes stay.
export const encodePath = (path) => path.split("/").map(encode).join("/");

// encodeQuery is the canonical form of parameters; it is sent as it is signed.
export const encodeQuery = (query) =>
  Object.entries(query).filter(([, v]) => v !== undefined).map(([k, v]) => [encode(k), encode(String(v))])
    .sort((a, b) => (a[0] < b[0] ? -1 : a[0] > b[0] ? 1 : a[1] < b[1] ? -1 : 1)).map(([k, v]) => k + "=" + v).join("&");

// digest is the SHA-256 of bytes, in hex.
export async function digest(data) {
  if (typeof data === "string") data = utf8ToBytes(data);
  if (globalThis.crypto?.subtle && data.length > 1 << 16) {
    return bytesToHex(new Uint8Array(await crypto.subtle.digest("SHA-256", data)));
  }
  return bytesToHex(sha256(data));
}

const hex = (text) => bytesToHex(sha256(utf8ToBytes(text)));
const mac = (key, text) => hmac(sha256, key, utf8ToBytes(text));

function signature(secret, scope, date, request) {
  const [day, region, service] = scope.split("/");
  const key = mac(mac(mac(mac(utf8ToBytes("AWS4" + secret), day), region), service), "aws4_request");
  return bytesToHex(mac(key, [algorithm, date, scope, hex(request)].join("\n")));
}

const stamp = (time) => new Date(time).toISOString().replace(/[-:]|\.\d{3}/g, "");

// signed returns the headers of a request with its signature. path is canonical, hash that of the body.
export function signed(credentials, { method, host, path, query, headers, hash, region, service, time }) {
  const date = stamp(time);
  const scope = [date.slice(0, 8), region, service, "aws4_request"].join("/");
  const all = { ...headers, "x-amz-date": date, "x-amz-content-sha256": hash };
  if (credentials.token) all["x-amz-security-token"] = credentials.token;
  const covered = { host };
  for (const [k, v] of Object.entries(all)) {
    const name = k.toLowerCase();
    if (name.startsWith("x-amz-")) covered[name] = String(v).trim().replace(/\s+/g, " ");
  }
  const names = Object.keys(covered).sort();
  const request = [method, path, query, names.map((n) => n + ":" + covered[n] + "\n").join(""), names.join(";"), hash].join("\n");
  all.Authorization = `${algorithm} Credential=${credentials.accessKey}/${scope}, SignedHeaders=${names.join(";")}, ` +
    "Signature=" + signature(credentials.secret, scope, date, request);
  return all;
}

// presigned returns a URL that anybody may use for some seconds.
export function presigned(credentials, { method, origin, path, query, region, seconds, time }) {
  const date = stamp(time);
  const scope = [date.slice(0, 8), region, "s3", "aws4_request"].join("/");
  const all = { ...query, "X-Amz-Algorithm": algorithm, "X-Amz-Credential": credentials.accessKey + "/" + scope, "X-Amz-Date": date,
    "X-Amz-Expires": seconds, "X-Amz-SignedHeaders": "host" };
  if (credentials.token) all["X-Amz-Security-Token"] = credentials.token;
  const text = encodeQuery(all);
  const request = [method, path, text, "host:" + new URL(origin).host + "\n", "host", "UNSIGNED-PAYLOAD"].join("\n");
  return origin + path + "?" + text + "&X-Amz-Signature=" + signature(credentials.secret, scope, date, request);
}
