// Uploads in progress: whose, since when and how large; each can be aborted.
import { admin } from "../api.js";
import { bytes, count, html, link, useState, when } from "../lib.js";
import { Confirm, Heading, Loaded, Table, useLoad } from "../ui.js";
import { W } from "../words.js";

const shown = 100; // Sizes are asked for one by one.

async function list() {
  const page = await admin("ListUploads", { max: shown });
  const uploads = await Promise.all((page.uploads || []).map((u) => admin("ShowUpload", { id: u.id }).catch((e) => {
    if (e.missing) return null; // It has ended meanwhile.
    throw e;
  })));
  return { uploads: uploads.filter(Boolean), truncated: page.truncated };
}

export function Uploads() {
  const all = useLoad(list, [], 10000);
  const [box, open] = useState(null);
  return html`<${Heading} title=${W.nav.uploads} />
    <${Loaded} of=${all}>${(d) => html`
      <${Table} caption=${W.uploads.title} empty=${W.uploads.none} rows=${d.uploads} rowKey=${(u) => u.id} columns=${[
        { head: W.uploads.bucket, cell: (u) => html`<a href=${link(["buckets", u.bucket])}>${u.bucket}</a>` }, { head: W.objects.key, cell: (u) => html`<span class="names">${u.key}</span>` },
        { head: W.uploads.who, cell: (u) => u.initiator }, { head: W.uploads.since, cell: (u) => when(u.initiated) },
        { head: W.uploads.parts, right: true, cell: (u) => count(u.parts) }, { head: W.size, right: true, cell: (u) => bytes(u.bytes) },
        { head: html`<span class="hidden">${W.actions}</span>`, right: true, cell: (u) => html`<button class="second danger" onClick=${() => open(u)}>${W.uploads.abort}<span class="hidden"> ${u.key}</span></button>` },
      ]} />${d.truncated && html`<p class="quiet">${W.uploads.truncated}</p>`}`}<//>
    ${box && html`<${Confirm} title=${W.uploads.abortTitle(box.key)} action=${W.uploads.abort} danger onClose=${() => open(null)}
      onDo=${async () => { await admin("AbortUpload", { id: box.id }); await all.reload(); }}><p>${W.uploads.abortText}</p><//>`}`;
}
