// Uploads of files, several at once and in parts. A part that fails is tried again. An upload that was cut off,
// even by a reload of the page, goes on with the parts that are there when the same file is chosen again: what is
// noted for that, in the browser's storage, is the upload's id and what the file looks like, nothing secret.
import { children, failureOf, get, s3, s3Request, s3xml } from "./api.js";
import { session } from "./session.js";
import { W } from "./words.js";

const partMin = 16 << 20;        // What is larger is sent in parts of at least so many bytes,
const partsMax = 10000;          // of which an upload has no more than these.
const atOnce = 4;                // Requests under way.
const tries = 6;
const firstPause = 1000;         // After a failure; it doubles.
const retried = new Set([0, 408, 409, 429, 500, 502, 503, 504]);

let tasks = [];
let listener = () => {};
let running = 0;
const waiting = [];

export const uploads = () => tasks;
export const onUploads = (f) => { listener = f; };
const changed = () => listener([...tasks]);

// slot waits until a request may begin; what it returns ends the wait of the next one.
async function slot() {
  if (running >= atOnce) await new Promise((go) => waiting.push(go));
  running++;
  return () => { running--; waiting.shift()?.(); };
}

const pause = (ms) => new Promise((done) => setTimeout(done, ms));

// memo is where an upload is noted.
const memo = (t) => "cairn.upload." + JSON.stringify([t.bucket, t.key, t.file.name, t.file.size, t.file.lastModified]);
const noted = (t) => { try { return JSON.parse(localStorage.getItem(memo(t))); } catch { return null; } };
const note = (t, value) => { try { value ? localStorage.setItem(memo(t), JSON.stringify(value)) : localStorage.removeItem(memo(t)); } catch { /* It cannot be resumed, then. */ } };

// add begins to upload files: a list of { file, key }.
export function add(bucket, files, done) {
  for (const { file, key } of files) {
    const t = { id: crypto.getRandomValues(new Uint32Array(1))[0], bucket, key, file, size: file.size, sent: new Map(), kept: 0, state: "waiting", done };
    tasks.push(t);
    run(t);
  }
  changed();
}

export const sentOf = (t) => t.kept + [...t.sent.values()].reduce((a, b) => a + b, 0);

// rate is bytes a second since the upload began.
export const rateOf = (t) => sentOf(t) - t.kept > 0 ? (sentOf(t) - t.kept) / Math.max(0.1, ((t.ended || Date.now()) - t.began) / 1000) : 0;

export function again(t) {
  t.error = null;
  run(t);
}

// stop gives an upload up; its parts are deleted.
export async function stop(t) {
  t.control?.abort();
  t.state = "stopped";
  changed();
  if (t.uploadId) {
    note(t, null);
    await s3("DELETE", t.bucket, t.key, { query: { uploadId: t.uploadId } }).catch(() => {});
  }
}

export function forget() {
  tasks = tasks.filter((t) => t.state === "running" || t.state === "waiting");
  changed();
}

async function run(t) {
  t.control = new AbortController();
  t.state = "running";
  t.began = Date.now();
  t.ended = 0;
  t.sent = new Map();
  t.kept = 0;
  changed();
  try {
    await (t.size > partMin ? inParts(t) : whole(t));
    t.state = "done";
    t.done?.();
  } catch (e) {
    if (t.state !== "stopped") { t.state = "failed"; t.error = e; }
  }
  t.ended = Date.now();
  changed();
}

const kindOf = (file) => ({ "Content-Type": file.type || "application/octet-stream" });

async function whole(t) {
  await send(t, t.file, () => ["PUT", t.bucket, t.key, { headers: kindOf(t.file) }], 0);
}

async function inParts(t) {
  let size = partMin;
  while (Math.ceil(t.size / size) > partsMax) size *= 2;
  const there = await resumed(t, size);
  if (!t.uploadId) {
    const doc = await s3xml("POST", t.bucket, t.key, { query: { uploads: "" }, headers: kindOf(t.file), signal: t.control.signal });
    t.uploadId = get(doc, "UploadId");
    note(t, { id: t.uploadId, size });
  }
  const etags = new Map(there);
  const work = [];
  for (let number = 1, from = 0; from < t.size; number++, from += size) {
    const piece = t.file.slice(from, Math.min(t.size, from + size));
    if (etags.has(number)) { t.kept += piece.size; continue; }
    work.push(send(t, piece, () => ["PUT", t.bucket, t.key, { query: { partNumber: number, uploadId: t.uploadId } }], number)
      .then((etag) => etags.set(number, etag)));
  }
  changed();
  try { await Promise.all(work); } catch (e) { t.control.abort(); throw e; }
  const list = [...etags.keys()].sort((a, b) => a - b).map((n) => `<Part><PartNumber>${n}</PartNumber><ETag>${etags.get(n).replace(/"/g, "&quot;")}</ETag></Part>`);
  const body = new TextEncoder().encode(`<CompleteMultipartUpload>${list.join("")}</CompleteMultipartUpload>`);
  await persist(t, () => s3xml("POST", t.bucket, t.key, { query: { uploadId: t.uploadId }, body }));
  note(t, null);
}

// resumed returns the parts that are there of an upload that was cut off, and takes it up.
async function resumed(t, size) {
  const before = noted(t), there = new Map();
  t.uploadId = "";
  if (!before || before.size !== size) return there;
  try {
    for (let after = "0"; ;) {
      const doc = await s3xml("GET", t.bucket, t.key, { query: { uploadId: before.id, "part-number-marker": after } });
      for (const p of children(doc, "Part")) {
        const n = Number(get(p, "PartNumber"));
        if (Number(get(p, "Size")) === Math.min(size, t.size - (n - 1) * size)) there.set(n, get(p, "ETag"));
      }
      after = get(doc, "NextPartNumberMarker");
      if (get(doc, "IsTruncated") !== "true" || !after) break;
    }
    t.uploadId = before.id;
  } catch (e) {
    if (!e.missing) throw e;
    there.clear();
    note(t, null); // It was completed or aborted meanwhile.
  }
  return there;
}

// send sends a piece of a file and returns its ETag.
async function send(t, piece, request, number) {
  const free = await slot();
  try {
    return await persist(t, async () => {
      const body = new Uint8Array(await piece.arrayBuffer());
      const [method, bucket, key, options] = request();
      const { url, headers } = await s3Request(method, bucket, key, { ...options, body });
      return await put(t, number, method, url, headers, body);
    });
  } finally { free(); }
}

// persist tries again what may succeed then.
async function persist(t, f) {
  for (let n = 1, wait = firstPause; ; n++, wait *= 2) {
    if (t.state !== "running" || t.control.signal.aborted) throw new Error(W.uploads.stopped);
    try { return await f(); } catch (e) {
      if (n >= tries || !session() || !retried.has(e.status) && e.code !== "unavailable") throw e;
    }
    await pause(wait);
  }
}

// put is a request whose progress is told, which fetch cannot do.
function put(t, number, method, url, headers, body) {
  return new Promise((done, fail) => {
    const x = new XMLHttpRequest();
    const stop = () => x.abort();
    t.control.signal.addEventListener("abort", stop);
    const end = (f, value) => { t.control.signal.removeEventListener("abort", stop); f(value); };
    const broken = () => { t.sent.set(number, 0); end(fail, Object.assign(new Error(W.errors.unreachable(location.host)), { status: 0 })); };
    x.upload.onprogress = (e) => { t.sent.set(number, e.loaded); changed(); };
    x.onerror = x.onabort = x.ontimeout = broken;
    x.onload = () => {
      if (x.status >= 300) {
        t.sent.set(number, 0);
        return end(fail, failureOf(x.status, x.responseText));
      }
      t.sent.set(number, body.length);
      changed();
      end(done, x.getResponseHeader("ETag"));
    };
    x.open(method, url);
    for (const [k, v] of Object.entries(headers)) x.setRequestHeader(k, v);
    x.send(body);
  });
}

// filesOf returns what was dropped, with what lies in folders, as { file, path }.
export async function filesOf(transfer) {
  const entries = [...transfer.items].map((i) => i.webkitGetAsEntry?.()).filter(Boolean);
  if (!entries.length) return [...transfer.files].map((file) => ({ file, path: file.name }));
  const out = [];
  const walk = async (entry, path) => {
    if (entry.isFile) out.push({ file: await new Promise((ok, no) => entry.file(ok, no)), path: path + entry.name });
    else {
      const reader = entry.createReader();
      for (;;) {
        const some = await new Promise((ok, no) => reader.readEntries(ok, no));
        if (!some.length) break;
        for (const e of some) await walk(e, path + entry.name + "/");
      }
    }
  };
  for (const e of entries) await walk(e, "");
  return out;
}
