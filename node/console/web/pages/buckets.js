// Buckets: those that the caller may see, with their sizes where the caller may know them.
import { admin, children, get, s3, s3xml } from "../api.js";
import { bytes, count, go, html, link, num, useState, when } from "../lib.js";
import { Ask, Confirm, Field, Heading, Loaded, Notice, Table, useLoad } from "../ui.js";
import { W } from "../words.js";

// list asks the admin API, which knows sizes; who may not ask it sees what S3 lists.
async function list() {
  try {
    const all = [];
    for (let after = ""; ;) {
      const page = await admin("ListBuckets", { after, max: 1000 });
      all.push(...(page.buckets || []));
      if (!page.truncated) return { buckets: all, sizes: true };
      after = all[all.length - 1].name;
    }
  } catch (e) { if (!e.denied) throw e; }
  try {
    const doc = await s3xml("GET");
    return { buckets: children(doc, "Bucket").map((b) => ({ name: get(b, "Name"), created: get(b, "CreationDate") })) };
  } catch (e) { if (!e.denied) throw e; }
  return { buckets: [], denied: true };
}

export function Buckets() {
  const all = useLoad(list, []);
  const [box, open] = useState(null);
  const [name, setName] = useState("");
  const close = () => open(null);
  const reload = all.reload;
  return html`<${Heading} title=${W.nav.buckets}><button onClick=${() => open({ make: true })}>${W.buckets.make}</button><//>
    <${Loaded} of=${all}>${(d) => html`
      ${d.denied && html`<${Notice}>${W.buckets.denied}<//>`}
      <${Table} caption=${W.nav.buckets} rows=${d.buckets} empty=${W.buckets.none} rowKey=${(b) => b.name} columns=${[
        { head: W.name, cell: (b) => html`<a href=${link(["buckets", b.name])}>${b.name}</a>` },
        ...(d.sizes ? [{ head: W.buckets.objects, right: true, cell: (b) => count(b.objects) }, { head: W.size, right: true, cell: (b) => bytes(b.bytes) },
          { head: W.buckets.quota, right: true, cell: (b) => num(b.quotaBytes) ? bytes(b.quotaBytes) : "" },
          { head: W.buckets.versioning, cell: (b) => b.versioning }] : []),
        { head: W.created, cell: (b) => when(b.created) },
        { head: html`<span class="hidden">${W.actions}</span>`, right: true, cell: (b) => html`<a class="button second" href=${link(["buckets", b.name, "properties"])}>${W.buckets.properties}</a>
          <button class="second danger" onClick=${() => open({ remove: b.name })}>${W.remove}<span class="hidden"> ${b.name}</span></button>` },
      ]} />
      ${!d.sizes && html`<form class="row" onSubmit=${(e) => { e.preventDefault(); if (name) go(["buckets", name]); }}>
        <${Field} label=${W.buckets.byName} value=${name} onInput=${setName} /><button class="second">${W.open}</button></form>`}`}<//>
    ${box?.make && html`<${Ask} title=${W.buckets.make} action=${W.buckets.doMake} onClose=${close} fields=${[
      { name: "name", label: W.name, help: W.buckets.nameHelp, required: true, minlength: 3, maxlength: 63, autocomplete: "off" },
      { name: "lock", label: W.buckets.withLock, type: "checkbox" }]}
      onDo=${async (v) => { await s3("PUT", v.name, undefined, { headers: v.lock ? { "x-amz-bucket-object-lock-enabled": "true" } : {} }); await reload(); }} />`}
    ${box?.remove && html`<${Confirm} title=${W.buckets.removeTitle(box.remove)} action=${W.remove} danger onClose=${close}
      onDo=${async () => { await s3("DELETE", box.remove); await reload(); }}><p>${W.buckets.removeText}</p><//>`}`;
}
