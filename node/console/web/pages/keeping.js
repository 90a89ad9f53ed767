// Object lock and restore of one version: how long it is kept, a legal hold, and a warm copy of a cold object.
import { get, s3, s3xml, xmlText } from "../api.js";
import { html, useState, when } from "../lib.js";
import { Ask, Loaded, Notice, useBusy, useLoad } from "../ui.js";
import { W } from "../words.js";

const K = W.keeping;
const cold = ["GLACIER", "DEEP_ARCHIVE", "COLD"];

// asked reads a document; null: there is none, or the bucket has no object lock.
async function asked(bucket, key, query) {
  try { return await s3xml("GET", bucket, key, { query }); } catch (e) {
    if (e.missing || e.status === 400) return null;
    throw e;
  }
}

// Lock shows and changes retention and legal hold, in buckets with object lock.
function Lock({ bucket, key_: key, version }) {
  const of = { versionId: version };
  const now = useLoad(async () => {
    if (!(await asked(bucket, undefined, { "object-lock": "" }))) return null;
    const [r, h] = await Promise.all([asked(bucket, key, { retention: "", ...of }), asked(bucket, key, { "legal-hold": "", ...of })]);
    return { mode: get(r, "Mode"), until: get(r, "RetainUntilDate"), hold: get(h, "Status") === "ON" };
  }, [bucket, key, version]);
  const [box, open] = useState(false);
  const work = useBusy();
  const put = (name, body, headers = {}) => s3("PUT", bucket, key, { query: { [name]: "", ...of }, checked: true, headers, body: new TextEncoder().encode(body) });
  const hold = (on) => work.run(async () => { await put("legal-hold", `<LegalHold><Status>${on ? "ON" : "OFF"}</Status></LegalHold>`); await now.reload(); });
  const retain = async (v) => {
    const until = v.until ? new Date(v.until).toISOString().replace(/\.\d+Z$/, "Z") : "";
    await put("retention", v.mode ? `<Retention><Mode>${xmlText(v.mode)}</Mode><RetainUntilDate>${xmlText(until)}</RetainUntilDate></Retention>` : "<Retention></Retention>",
      v.bypass ? { "x-amz-bypass-governance-retention": "true" } : {});
    await now.reload();
  };
  if (now.error?.denied || now.data === null) return null;
  return html`<section><h2>${K.title}</h2><${Loaded} of=${now}>${(d) => html`
    <dl class="facts"><dt>${K.retention}</dt><dd>${d.mode ? K.until(d.mode.toLowerCase(), when(d.until)) : W.nothing}</dd><dt>${K.hold}</dt><dd>${d.hold ? K.on : K.off}</dd></dl>
    ${work.error && html`<${Notice} kind="bad" onClose=${work.clear}>${work.error.message}<//>`}
    <div class="row"><button class="second" onClick=${() => open(true)}>${K.change}</button><button class="second" disabled=${work.busy} onClick=${() => hold(!d.hold)}>${d.hold ? K.release : K.setHold}</button></div>
    ${box && html`<${Ask} title=${K.change} action=${W.save} onClose=${() => open(false)} onDo=${retain} start=${{ mode: d.mode || "GOVERNANCE", until: d.until ? local(d.until) : "" }} fields=${[
      { name: "mode", label: K.mode, type: "choice", options: [["", K.none], ["GOVERNANCE", W.forms.governance], ["COMPLIANCE", W.forms.compliance]] }, { name: "until", label: K.date, type: "datetime-local", step: 1 },
      { name: "bypass", label: K.bypass, type: "checkbox" }]}><p>${K.warning}</p><//>`}`}<//></section>`;
}

// local is a time as a field for times takes it.
function local(text) {
  const t = new Date(text);
  return new Date(t - t.getTimezoneOffset() * 60000).toISOString().slice(0, 19);
}

// Restore asks for a warm copy.
function Restore({ bucket, key_: key, version, of, onDone }) {
  const [box, open] = useState(false);
  const header = (name) => of.headers.find(([k]) => k === name)?.[1] || "";
  if (!cold.includes(header("x-amz-storage-class")) && !header("x-amz-restore")) return null;
  return html`<section><h2>${K.restore}</h2><p>${/ongoing-request="true"/.test(header("x-amz-restore")) ? K.ongoing : header("x-amz-restore") ? K.restored(/expiry-date="([^"]+)"/.exec(header("x-amz-restore"))?.[1] || "") : K.isCold}</p>
    <button class="second" onClick=${() => open(true)}>${K.restore}</button>
    ${box && html`<${Ask} title=${K.restore} action=${K.restore} onClose=${() => open(false)} start=${{ days: "7" }} fields=${[{ name: "days", label: K.days, type: "number", min: 1, required: true }]}
      onDo=${async (v) => { await s3("POST", bucket, key, { query: { restore: "", versionId: version }, checked: true, body: new TextEncoder().encode(`<RestoreRequest><Days>${Number(v.days)}</Days></RestoreRequest>`) }); await onDone(); }} />`}</section>`;
}

export const Keeping = (p) => html`<${Lock} ...${p} /><${Restore} ...${p} />`;
