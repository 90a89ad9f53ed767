// Objects of a bucket below a prefix, page by page; uploads into it.
import { children, decoded, download, get, s3, s3xml } from "../api.js";
import { bytes, html, link, num, useEffect, useRef, useState, when } from "../lib.js";
import { Confirm, Field, Heading, Loaded, Notice, Progress, Table, Tabs, useLoad } from "../ui.js";
import * as upload from "../upload.js";
import { UploadList } from "./uploading.js";
import { W } from "../words.js";

const pageSize = 200;
const deletedAtOnce = 4;
const betweenDownloads = 400; // Milliseconds: browsers drop downloads that come at once.

// listed reads a page of a list: folders (common prefixes) and objects.
async function listed(bucket, prefix, token) {
  const doc = await s3xml("GET", bucket, undefined, { query: { "list-type": 2, prefix, delimiter: "/", "max-keys": pageSize, "encoding-type": "url", "continuation-token": token || undefined } });
  return {
    folders: children(doc, "CommonPrefixes").map((p) => decoded(get(p, "Prefix"))),
    objects: children(doc, "Contents").map((o) => ({ key: decoded(get(o, "Key")), size: Number(get(o, "Size")), modified: get(o, "LastModified"), kind: get(o, "StorageClass") })),
    next: get(doc, "IsTruncated") === "true" ? get(doc, "NextContinuationToken") : "",
  };
}

// versions reads a page of all versions and delete markers.
async function versions(bucket, prefix, token) {
  const [keyMarker, versionMarker] = token ? JSON.parse(token) : [];
  const doc = await s3xml("GET", bucket, undefined, { query: { versions: "", prefix, delimiter: "/", "max-keys": pageSize, "encoding-type": "url", "key-marker": keyMarker, "version-id-marker": versionMarker } });
  const read = (name, deleted) => children(doc, name).map((v) => ({ key: decoded(get(v, "Key")), version: get(v, "VersionId"), latest: get(v, "IsLatest") === "true",
    size: Number(get(v, "Size") || 0), modified: get(v, "LastModified"), kind: deleted ? W.objects.marker : get(v, "StorageClass"), deleted }));
  const all = [...read("Version", false), ...read("DeleteMarker", true)];
  all.sort((a, b) => (a.key < b.key ? -1 : a.key > b.key ? 1 : a.modified < b.modified ? 1 : -1));
  return { folders: children(doc, "CommonPrefixes").map((p) => decoded(get(p, "Prefix"))), objects: all,
    next: get(doc, "IsTruncated") === "true" ? JSON.stringify([decoded(get(doc, "NextKeyMarker")), get(doc, "NextVersionIdMarker")]) : "" };
}

// trailOf are links to the folders above a prefix.
export function trailOf(bucket, prefix) {
  const out = [[W.nav.buckets, link(["buckets"])], [bucket, link(["buckets", bucket])]];
  let so = "";
  for (const part of prefix.split("/").slice(0, -1)) {
    so += part + "/";
    out.push([part || "/", link(["buckets", bucket], { prefix: so })]);
  }
  return out;
}

export const bucketTabs = (bucket, now) => html`<${Tabs} label=${W.buckets.parts} now=${now} list=${[["objects", W.objects.title], ["properties", W.buckets.properties]]}
  href=${(id) => link(id === "objects" ? ["buckets", bucket] : ["buckets", bucket, id])} />`;

export function Objects({ bucket, params }) {
  const prefix = params.prefix || "", all = params.versions === "1";
  // What belongs to one view never shows in another: the tokens of the pages up to the one that is shown, and
  // what is chosen.
  const view = JSON.stringify([prefix, all]);
  const [kept, keep] = useState({});
  const { pages, chosen } = kept.view === view ? kept : { pages: [""], chosen: new Set() };
  const setPages = (pages) => keep({ view, pages, chosen });
  const choose = (f) => keep((old) => ({ view, pages, chosen: f(old.view === view ? old.chosen : new Set()) }));
  const token = pages[pages.length - 1];
  const now = useLoad(() => (all ? versions : listed)(bucket, prefix, token), [bucket, prefix, all, token]);
  const [box, open] = useState(false);
  const [over, setOver] = useState(false);
  const [find, setFind] = useState("");
  const files = useRef(), folder = useRef();
  useEffect(() => { folder.current?.setAttribute("webkitdirectory", ""); }, []);

  const reload = useRef(now.reload);
  reload.current = now.reload;
  const send = (list) => upload.add(bucket, list.map(({ file, path }) => ({ file, key: prefix + path })), () => reload.current());
  const picked = (e) => {
    send([...e.target.files].map((file) => ({ file, path: file.webkitRelativePath || file.name })));
    e.target.value = "";
  };
  const drop = async (e) => {
    e.preventDefault();
    setOver(false);
    send(await upload.filesOf(e.dataTransfer));
  };
  const id = (o) => JSON.stringify([o.key, o.version]);
  const toggle = (o) => choose((old) => { const n = new Map([...old].map((x) => [x, 1])); n.has(id(o)) ? n.delete(id(o)) : n.set(id(o), 1); return new Set(n.keys()); });

  return html`<${Heading} title=${prefix ? prefix : bucket} trail=${trailOf(bucket, prefix)} />
    ${bucketTabs(bucket, "objects")}
    <div class="drop ${over ? "over" : ""}" onDragOver=${(e) => { e.preventDefault(); setOver(true); }} onDragLeave=${() => setOver(false)} onDrop=${drop}>
      <div class="row">
        <div class="field file"><label for="files">${W.uploads.choose}</label><input id="files" type="file" multiple ref=${files} onChange=${picked} /></div>
        <div class="field file"><label for="folder">${W.uploads.chooseFolder}</label><input id="folder" type="file" multiple ref=${folder} onChange=${picked} /></div>
        <p class="quiet">${W.uploads.drop}</p>
      </div>
      <${UploadList} bucket=${bucket} />
      <form class="row" onSubmit=${(e) => { e.preventDefault(); location.hash = link(["buckets", bucket], { prefix: prefix + find, versions: params.versions }); setFind(""); }}>
        <${Field} label=${W.objects.find} value=${find} onInput=${setFind} />
        <button class="second">${W.objects.doFind}</button>
        <${Field} type="checkbox" label=${W.objects.showVersions} value=${all} onInput=${(v) => { location.hash = link(["buckets", bucket], { prefix, versions: v ? "1" : "" }); }} />
        ${chosen.size > 0 && html`<button type="button" class="second" onClick=${() => downloadMany(bucket, [...chosen].map((c) => JSON.parse(c)))}>${W.objects.downloadSome(chosen.size)}</button>`}
        ${chosen.size > 0 && html`<button class="danger" onClick=${(e) => { e.preventDefault(); open(true); }}>${W.objects.removeSome(chosen.size)}</button>`}
      </form>
      <${Loaded} of=${now}>${(d) => html`
        <${Table} caption=${W.objects.title} empty=${W.objects.none} rows=${[...d.folders.map((f) => ({ folder: f })), ...d.objects]} rowKey=${(o) => (o.folder !== undefined ? "f" + o.folder : "o" + id(o))} columns=${[
          { head: html`<span class="hidden">${W.objects.choose}</span>`, cell: (o) => o.folder === undefined && html`<input type="checkbox" aria-label=${W.objects.chooseOne(o.key)} checked=${chosen.has(id(o))} onChange=${() => toggle(o)} />` },
          { head: W.objects.key, cell: (o) => o.folder !== undefined ? html`<a class="folder" href=${link(["buckets", bucket], { prefix: o.folder, versions: params.versions })}>${o.folder.slice(prefix.length)}</a>`
            : html`<a class="key" href=${link(["buckets", bucket, "object", o.key], { version: o.version })}>${o.key.slice(prefix.length)}</a>` },
          ...(all ? [{ head: W.objects.version, cell: (o) => o.version && html`<code>${o.version}</code>${o.latest ? " " + W.objects.latest : ""}` }] : []),
          { head: W.size, right: true, cell: (o) => (o.folder === undefined && !o.deleted ? bytes(o.size) : "") },
          { head: W.modified, cell: (o) => when(o.modified) },
          { head: W.objects.storageClass, cell: (o) => o.kind || "" },
        ]} />
        <div class="row pages"><button class="second" disabled=${pages.length === 1} onClick=${() => setPages(pages.slice(0, -1))}>${W.previous}</button>
          <span>${W.page(pages.length)}</span>
          <button class="second" disabled=${!d.next} onClick=${() => setPages([...pages, d.next])}>${W.next}</button></div>`}<//>
    </div>
    ${box && html`<${RemoveMany} bucket=${bucket} list=${[...chosen].map((c) => JSON.parse(c))} onClose=${() => open(false)} onDone=${() => { choose(() => new Set()); now.reload(); }} />`}`;
}

// downloadMany hands objects to the browser one after the other, which asks once whether it may take several.
async function downloadMany(bucket, list) {
  for (const [key, version] of list) {
    download(bucket, key, version || undefined);
    await new Promise((go) => setTimeout(go, betweenDownloads));
  }
}

// RemoveMany deletes objects or versions, some at once, and tells how far it is.
function RemoveMany({ bucket, list, onClose, onDone }) {
  const [done, setDone] = useState(0);
  const remove = async () => {
    const left = [...list];
    let n = 0;
    const work = async () => {
      for (let o; (o = left.pop());) {
        await s3("DELETE", bucket, o[0], { query: { versionId: o[1] || undefined } });
        setDone(++n);
      }
    };
    try { await Promise.all(Array.from({ length: deletedAtOnce }, work)); } finally { onDone(); }
  };
  return html`<${Confirm} title=${W.objects.removeSome(list.length)} action=${W.remove} danger onClose=${onClose} onDo=${remove}>
    <p>${list.some((o) => o[1]) ? W.objects.removeVersions : W.objects.removeText}</p>
    <ul class="names">${list.slice(0, 10).map((o) => html`<li>${o[0]}</li>`)}${list.length > 10 && html`<li>${W.more(list.length - 10)}</li>`}</ul>
    ${done > 0 && html`<${Progress} done=${done} total=${list.length} label=${W.objects.removing} /> <span role="status">${done} / ${list.length}</span>`}
  <//>`;
}
