// Forms for the documents of a bucket. Each reads a document into values and writes it again. A document that says
// more than its form can (see loses) is edited as such.
import { children, get, parse, xmlText } from "../api.js";
import { html } from "../lib.js";
import { Field } from "../ui.js";
import { W } from "../words.js";

const F = W.forms;
const ns = ' xmlns="http://s3.amazonaws.com/doc/2006-03-01/"';
const element = (name, value) => (value === "" || value === undefined ? "" : `<${name}>${xmlText(value)}</${name}>`);
const lines = (text) => text.split("\n").map((l) => l.trim()).filter(Boolean);
const methods = ["GET", "PUT", "HEAD", "POST", "DELETE"];
const sizes = ["B", "KiB", "MiB", "GiB", "TiB", "PiB"];

// sizeText and sizeOf are a number of bytes as people write it.
function sizeText(n) {
  let i = 0;
  while (n >= 1024 && n % 1024 === 0 && i < sizes.length - 1) { n /= 1024; i++; }
  return n + " " + sizes[i];
}

function sizeOf(text) {
  const m = /^\s*(\d+(?:\.\d+)?)\s*([A-Za-z]*)\s*$/.exec(text);
  const i = m ? sizes.findIndex((s) => s.toLowerCase() === (m[2] || "B").toLowerCase()) : -1;
  if (i < 0) throw new Error(F.badSize);
  return Math.round(Number(m[1]) * 1024 ** i);
}

// readTags and writeTags are tags as lines of NAME=VALUE.
export const readTags = (doc) => children(doc, "Tag").map((t) => get(t, "Key") + "=" + get(t, "Value")).join("\n");
export const writeTags = (text) => "<Tagging><TagSet>" + lines(text).map((l) => {
  const i = l.indexOf("="), [k, v] = i < 0 ? [l, ""] : [l.slice(0, i), l.slice(i + 1)];
  return `<Tag><Key>${xmlText(k.trim())}</Key><Value>${xmlText(v.trim())}</Value></Tag>`;
}).join("") + "</TagSet></Tagging>";

// forms are by sub-resource. Those with `rows` have a list of such values.
export const forms = {
  versioning: {
    fields: [{ name: "status", label: W.state, type: "choice", options: [["", F.never], ["Enabled", F.enabled], ["Suspended", F.suspended]] }],
    read: (d) => ({ status: get(d, "Status") }), write: (v) => `<VersioningConfiguration${ns}>${element("Status", v.status)}</VersioningConfiguration>`,
  },
  tagging: { fields: [{ name: "text", label: W.object.tagLines, type: "area", rows: 6 }], read: (d) => ({ text: readTags(d) }), write: (v) => writeTags(v.text) },
  quota: {
    fields: [{ name: "size", label: F.size, help: F.sizeHelp }],
    read: (d) => ({ size: sizeText(Number(get(d, "StorageQuota") || 0)) }), write: (v) => `<Quota><StorageQuota>${sizeOf(v.size)}</StorageQuota></Quota>`,
  },
  encryption: {
    fields: [{ name: "algorithm", label: F.algorithm, type: "choice", options: [["AES256", F.aes], ["aws:kms", F.kms]] }, { name: "key", label: F.key, help: F.keyHelp }],
    empty: { algorithm: "AES256", key: "" },
    read: (d) => ({ algorithm: get(d, "SSEAlgorithm"), key: get(d, "KMSMasterKeyID") }),
    write: (v) => `<ServerSideEncryptionConfiguration><Rule><ApplyServerSideEncryptionByDefault>${element("SSEAlgorithm", v.algorithm)}${v.algorithm === "aws:kms" ? element("KMSMasterKeyID", v.key.trim()) : ""}</ApplyServerSideEncryptionByDefault></Rule></ServerSideEncryptionConfiguration>`,
  },
  website: {
    fields: [{ name: "index", label: F.index, help: F.indexHelp }, { name: "error", label: F.errorPage }, { name: "host", label: F.host, help: F.hostHelp }],
    empty: { index: "index.html", error: "", host: "" },
    read: (d) => ({ index: get(d.getElementsByTagName("IndexDocument")[0], "Suffix"), error: get(d.getElementsByTagName("ErrorDocument")[0], "Key"), host: get(d.getElementsByTagName("RedirectAllRequestsTo")[0], "HostName") }),
    write: (v) => v.host.trim() ? `<WebsiteConfiguration><RedirectAllRequestsTo>${element("HostName", v.host.trim())}</RedirectAllRequestsTo></WebsiteConfiguration>`
      : `<WebsiteConfiguration><IndexDocument>${element("Suffix", v.index.trim())}</IndexDocument>${v.error.trim() ? `<ErrorDocument>${element("Key", v.error.trim())}</ErrorDocument>` : ""}</WebsiteConfiguration>`,
  },
  logging: {
    fields: [{ name: "bucket", label: F.logBucket, help: F.logBucketHelp }, { name: "prefix", label: F.logPrefix }],
    read: (d) => ({ bucket: get(d, "TargetBucket"), prefix: get(d, "TargetPrefix") }),
    write: (v) => `<BucketLoggingStatus${ns}>${v.bucket.trim() ? `<LoggingEnabled>${element("TargetBucket", v.bucket.trim())}<TargetPrefix>${xmlText(v.prefix)}</TargetPrefix></LoggingEnabled>` : ""}</BucketLoggingStatus>`,
  },
  "object-lock": {
    fields: [{ name: "mode", label: F.mode, type: "choice", options: [["", F.noMode], ["GOVERNANCE", F.governance], ["COMPLIANCE", F.compliance]] }, { name: "days", label: F.days, type: "number", min: 1 }],
    empty: { mode: "", days: "" },
    read: (d) => ({ mode: get(d, "Mode"), days: get(d, "Days") }),
    write: (v) => `<ObjectLockConfiguration><ObjectLockEnabled>Enabled</ObjectLockEnabled>${v.mode ? `<Rule><DefaultRetention>${element("Mode", v.mode)}${element("Days", v.days)}</DefaultRetention></Rule>` : ""}</ObjectLockConfiguration>`,
  },
  cors: {
    rows: true,
    fields: [{ name: "origins", label: F.origins, help: F.originsHelp, type: "area", rows: 2 }, ...methods.map((m) => ({ name: m, label: m, type: "checkbox" })),
      { name: "headers", label: F.headers, type: "area", rows: 2 }, { name: "expose", label: F.expose, type: "area", rows: 2 }, { name: "age", label: F.age, type: "number", min: 0 }],
    empty: { origins: "", GET: true, PUT: false, HEAD: false, POST: false, DELETE: false, headers: "", expose: "", age: "" },
    read: (d) => children(d, "CORSRule").map((r) => {
      const all = (name) => children(r, name).map((e) => e.textContent).join("\n");
      return { ...Object.fromEntries(methods.map((m) => [m, children(r, "AllowedMethod").some((e) => e.textContent === m)])), id: get(r, "ID"), origins: all("AllowedOrigin"), headers: all("AllowedHeader"), expose: all("ExposeHeader"), age: get(r, "MaxAgeSeconds") };
    }),
    write: (rules) => "<CORSConfiguration>" + rules.map((r) => {
      const all = (name, list) => list.map((x) => element(name, x)).join("");
      return `<CORSRule>${element("ID", r.id)}${all("AllowedOrigin", lines(r.origins))}${all("AllowedMethod", methods.filter((m) => r[m]))}${all("AllowedHeader", lines(r.headers))}${all("ExposeHeader", lines(r.expose))}${element("MaxAgeSeconds", r.age)}</CORSRule>`;
    }).join("") + "</CORSConfiguration>",
  },
};

// leaves are the texts of a document, each with its path. A path that is there twice is counted.
function leaves(doc) {
  const out = [];
  const walk = (node, path) => {
    const below = [...node.children], at = path + "/" + node.localName;
    if (below.length) below.forEach((c) => walk(c, at));
    else if (node.textContent.trim()) out.push(at + "=" + node.textContent);
  };
  walk(doc.documentElement, "");
  return out.sort();
}

// loses tells whether a form would lose something of a document.
export function loses(form, text) {
  try {
    const doc = parse(text);
    if (doc.querySelector("parsererror")) return true;
    const left = leaves(parse(form.write(form.read(doc))));
    return leaves(doc).some((l) => { const i = left.indexOf(l); if (i >= 0) left.splice(i, 1); return i < 0 && !/=false$/.test(l); });
  } catch { return true; }
}

// start are the values of a form for a document; where there is none, for a new one.
export function start(form, text) {
  if (text) return form.read(parse(text));
  const empty = form.empty || Object.fromEntries(form.fields.map((f) => [f.name, ""]));
  return form.rows ? [empty] : empty;
}

const Fields = ({ form, values, set }) => form.fields.map(({ name, ...f }) => html`<${Field} key=${name} ...${f} value=${values[name]} onInput=${(v) => set({ ...values, [name]: v })} />`);

// Form shows the fields of a document.
export function Form({ form, values, set }) {
  if (!form.rows) return html`<${Fields} form=${form} values=${values} set=${set} />`;
  const change = (i, v) => set(values.map((old, j) => (j === i ? v : old)));
  return html`${values.map((v, i) => html`<fieldset key=${i}><legend>${F.rule(i + 1)}</legend><${Fields} form=${form} values=${v} set=${(to) => change(i, to)} />
      ${values.length > 1 && html`<button type="button" class="second danger" onClick=${() => set(values.filter((_, j) => j !== i))}>${F.removeRule(i + 1)}</button>`}</fieldset>`)}
    <button type="button" class="second" onClick=${() => set([...values, form.empty])}>${F.addRule}</button>`;
}
