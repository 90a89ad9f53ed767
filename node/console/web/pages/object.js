// One object: what it is, a preview, its tags and versions, a link to share, and where it lies.
import { admin, children, decoded, download, get, now, presign, s3, s3xml, xmlText } from "../api.js";
import { brief, bytes, count, go, html, link, num, useState, when } from "../lib.js";
import { session } from "../session.js";
import { Ask, Confirm, Copy, Dialog, Field, Heading, Loaded, Notice, State, Table, useBusy, useLoad } from "../ui.js";
import { readTags, writeTags } from "./forms.js";
import { Keeping } from "./keeping.js";
import { trailOf } from "./objects.js";
import { W } from "../words.js";

const previewBytes = 256 << 10;   // Of a text.
const previewImage = 50 << 20;    // A picture that is larger is not shown.
const previewSeconds = 900;
const copiedWhole = 5 * 1024 ** 3; // What is larger is copied in parts,
const copiedPart = 1024 ** 3;      // of so many bytes.

const texts = /^(text\/|application\/(json|xml|javascript|x-yaml|yaml|toml|x-sh))|\+(json|xml)$/;

// kindOf says how an object is shown. Nothing of it runs: pictures and films come from the S3 origin, text is text.
function kindOf(type, key) {
  if (/^image\//.test(type)) return "image";
  if (/^video\//.test(type)) return "video";
  if (/^audio\//.test(type)) return "audio";
  if (texts.test(type) || /\.(txt|md|log|json|xml|ya?ml|csv|html?|js|css|go|py|sh|toml|ini|conf)$/i.test(key)) return "text";
  return "";
}

async function head(bucket, key, version) {
  const answer = await s3("HEAD", bucket, key, { query: { versionId: version } });
  const h = answer.headers;
  return { size: Number(h.get("Content-Length")), type: h.get("Content-Type") || "", etag: h.get("ETag"), modified: h.get("Last-Modified"),
    version: h.get("x-amz-version-id"), headers: [...h].filter(([k]) => /^x-amz-meta-|^cache-control$|^content-(encoding|language)$|^expires$|^x-amz-(storage-class|server-side-encryption|object-lock|restore|expiration|tagging-count|mp-parts-count|website)/.test(k)
      && !(k === "cache-control" && h.get(k) === "no-store")) };
}

function Preview({ bucket, key_: key, version, of }) {
  const [shown, show] = useState(false);
  const kind = kindOf(of.type, key), url = () => presign(bucket, key, previewSeconds, { versionId: version });
  const text = useLoad(async () => {
    if (!shown || kind !== "text") return "";
    if (!of.size) return W.object.empty;
    const answer = await s3("GET", bucket, key, { query: { versionId: version }, headers: { Range: `bytes=0-${previewBytes - 1}` } });
    return answer.text();
  }, [shown, bucket, key, version]);
  if (!kind || (kind === "image" && of.size > previewImage)) return null;
  if (!shown) return html`<button class="second" onClick=${() => show(true)}>${W.object.preview}</button>`;
  return html`<div class="preview">${kind === "image" ? html`<img src=${url()} alt=${key} />` : kind === "video" ? html`<video src=${url()} controls></video>`
    : kind === "audio" ? html`<audio src=${url()} controls></audio>`
    : html`<${Loaded} of=${text}>${(t) => html`<pre tabindex="0">${t}</pre>${of.size > previewBytes && html`<p class="quiet">${W.object.cut(bytes(previewBytes))}</p>`}`}<//>`}</div>`;
}

// Share makes a URL that anybody may use until it, or this session, ends.
function Share({ bucket, key_: key, version, onClose }) {
  const left = Math.floor((session().expires - now()) / 1000);
  const choices = W.object.expiries.filter(([s]) => s < left);
  const [seconds, set] = useState(String((choices.find(([s]) => s >= 3600) || choices[choices.length - 1] || [left])[0]));
  const [url, make] = useState("");
  return html`<${Dialog} title=${W.object.share} onClose=${onClose}>
    <p>${W.object.shareText}</p>
    <form class="row" onSubmit=${(e) => { e.preventDefault(); make(presign(bucket, key, Math.min(Number(seconds), left), { versionId: version })); }}>
      <${Field} label=${W.object.expiry} type="choice" value=${seconds} onInput=${set} options=${[...choices.map(([s, t]) => [String(s), t]), [String(left), W.object.wholeSession]]} />
      <button>${W.object.makeLink}</button></form>
    ${url && html`<${Copy} label=${W.object.link} text=${url} />`}
    <p class="quiet">${W.object.shareEnds(when(session().expires))}</p><//>`;
}

function Tags({ bucket, key_: key, version }) {
  const tags = useLoad(async () => readTags(await s3xml("GET", bucket, key, { query: { tagging: "", versionId: version } })), [bucket, key, version]);
  const [box, open] = useState(false);
  const save = async ({ text }) => {
    await s3("PUT", bucket, key, { query: { tagging: "", versionId: version }, checked: true, body: new TextEncoder().encode(writeTags(text)) });
    await tags.reload();
  };
  return html`<section><h2>${W.object.tags}</h2><${Loaded} of=${tags}>${(t) => html`
    <p>${t ? t.split("\n").map((one) => html`<span class="tag">${one}</span> `) : html`<span class="quiet">${W.nothing}</span>`}</p>
    <button class="second" onClick=${() => open(true)}>${W.object.editTags}</button>
    ${box && html`<${Ask} title=${W.object.editTags} action=${W.save} onClose=${() => open(false)} onDo=${save} start=${{ text: t }}
      fields=${[{ name: "text", label: W.object.tagLines, type: "area", rows: 6 }]} />`}`}<//></section>`;
}

// Lies is the picture of an object: parts, extents, stripes, and every shard on its drive.
function Lies({ bucket, key_: key, version }) {
  const stat = useLoad(async () => {
    const [s, nodes] = await Promise.all([admin("StatObject", { bucket, key, versionId: version || "", maxVersions: 1, maxParts: 200, maxExtents: 200 }), admin("ListNodes")]);
    return { ...s, names: Object.fromEntries((nodes.nodes || []).map((n) => [n.id, n.s3Addr])) };
  }, [bucket, key, version], 5000);
  if (stat.error?.denied) return null;
  return html`<section class="lies"><h2>${W.object.lies}</h2><${Loaded} of=${stat}>${(s) => {
    const v = (s.versions || [])[0] || {}, extents = s.extents || [];
    const shared = new Map(extents.map((e) => [e.id, (e.owners || []).filter((o) => o.kind === "part" && o.id !== v.contentId)]));
    const inline = (v.parts || []).every((p) => (p.pieces || []).every((x) => x.inline));
    return html`
      <p><${State} word=${s.health || "inline"} /> ${extents.length ? W.object.shards(s.shards || 0, s.shardsPresent || 0, s.shardsMissing || 0, s.shardsUnreachable || 0) : inline && num(v.size) ? W.object.inline : W.object.noExtents}</p>
      ${extents.length > 0 && html`<p class="legend">${["present", "unreachable", "missing"].map((w) => html`<span><i class="shard ${w}"></i>${w}</span>`)}<span><i class="shard present parity"></i>${W.object.parity}</span></p>`}
      <div class="extents">${extents.map((e) => html`<article class="extent" id=${"extent-" + e.id} aria-label=${W.object.extent(e.id)}>
        <header><strong>${W.object.extent(e.id)}</strong> <${State} word=${e.health} /> <span class="quiet">${e.scheme}, ${bytes(e.plainBytes)}, ${W.object.aShard(bytes(e.shardBytes))}${e.sealed ? ", " + W.object.sealed : ""}</span></header>
        <ol class="shards">${(e.shards || []).map((d) => html`<li class="shard ${d.state} ${d.kind}" title=${W.object.shardTitle(d)}>
          <b>${d.kind === "data" ? "d" : "p"}${num(d.slot)}</b><span>${s.names[d.node] || brief(d.node)}</span><small>${d.zone ? d.zone + " · " : ""}${brief(d.drive)}</small><span class="hidden">${d.state}</span></li>`)}</ol>
        ${shared.get(e.id).length > 0 && html`<p class="quiet">${W.object.shared(shared.get(e.id).length, e.moreOwners)} ${shared.get(e.id).slice(0, 3).map((o) => html`<code>${o.id.slice(0, 8)}…/${num(o.part)}</code> `)}</p>`}
        ${(e.bringBack || []).map((b) => html`<p class="bad">${b}</p>`)}</article>`)}</div>
      ${(v.parts || []).length > 0 && html`<details open=${v.parts.length < 20}><summary>${W.object.parts(v.parts.length)}</summary><${Table} caption=${W.object.partsTitle} rows=${v.parts} rowKey=${(p) => num(p.number)} columns=${[
        { head: W.object.part, right: true, cell: (p) => num(p.number) || 1 }, { head: W.object.from, right: true, cell: (p) => count(p.offset) }, { head: W.size, right: true, cell: (p) => bytes(p.size) },
        { head: W.object.pieces, cell: (p) => (p.pieces || []).map((x) => x.inline ? W.object.inlinePiece(bytes(x.size)) : html`<span class="piece">${x.extent} @ ${count(x.extentOffset)} (${bytes(x.size)})${(shared.get(x.extent) || []).length ? html` <em>${W.object.byReference}</em>` : ""}</span> `) },
      ]} /></details>`}
      ${s.truncated && html`<p class="quiet">${W.object.truncated}</p>`}`;
  }}<//></section>`;
}

// copyObject copies an object inside the cluster; large ones by parts.
async function copyObject(bucket, key, version, size, toBucket, toKey, progress) {
  const source = "/" + encodeURIComponent(bucket) + "/" + key.split("/").map(encodeURIComponent).join("/") + (version ? "?versionId=" + encodeURIComponent(version) : "");
  if (size <= copiedWhole) return s3xml("PUT", toBucket, toKey, { headers: { "x-amz-copy-source": source } });
  const id = get(await s3xml("POST", toBucket, toKey, { query: { uploads: "" } }), "UploadId");
  const parts = [];
  for (let from = 0, n = 1; from < size; from += copiedPart, n++) {
    const doc = await s3xml("PUT", toBucket, toKey, { query: { partNumber: n, uploadId: id },
      headers: { "x-amz-copy-source": source, "x-amz-copy-source-range": `bytes=${from}-${Math.min(size, from + copiedPart) - 1}` } });
    parts.push(`<Part><PartNumber>${n}</PartNumber><ETag>${xmlText(get(doc, "ETag"))}</ETag></Part>`);
    progress(from);
  }
  return s3xml("POST", toBucket, toKey, { query: { uploadId: id }, body: new TextEncoder().encode(`<CompleteMultipartUpload>${parts.join("")}</CompleteMultipartUpload>`) });
}

export function ObjectPage({ bucket, key_: key, params }) {
  const version = params.version || undefined, folder = key.slice(0, key.lastIndexOf("/") + 1);
  const of = useLoad(() => head(bucket, key, version), [bucket, key, version]);
  const versions = useLoad(async () => {
    const doc = await s3xml("GET", bucket, undefined, { query: { versions: "", prefix: key, "encoding-type": "url", "max-keys": 100 } });
    return [...children(doc, "Version"), ...children(doc, "DeleteMarker")].filter((v) => decoded(get(v, "Key")) === key).map((v) => ({ id: get(v, "VersionId"), latest: get(v, "IsLatest") === "true",
      size: Number(get(v, "Size") || 0), modified: get(v, "LastModified"), marker: v.nodeName === "DeleteMarker" })).sort((a, b) => (a.modified < b.modified ? 1 : -1));
  }, [bucket, key]);
  const [box, open] = useState("");
  const close = () => open("");
  const name = key.slice(folder.length) || key;
  return html`<${Heading} title=${name} trail=${trailOf(bucket, folder)}>
      ${of.data && html`<button onClick=${() => download(bucket, key, version)}>${W.object.download}</button><button class="second" onClick=${() => open("share")}>${W.object.share}</button>`}
      ${of.data && html`<button class="second" onClick=${() => open("copy")}>${W.object.copy}</button>`}
      <button class="second danger" onClick=${() => open("remove")}>${W.remove}</button><//>
    <${Loaded} of=${of}>${(o) => html`<section><dl class="facts">
        <dt>${W.size}</dt><dd>${bytes(o.size)} (${count(o.size)})</dd><dt>${W.object.type}</dt><dd>${o.type}</dd><dt>${W.modified}</dt><dd>${when(o.modified)}</dd>
        <dt>ETag</dt><dd><code>${o.etag}</code></dd>${o.version && html`<dt>${W.objects.version}</dt><dd><code>${o.version}</code></dd>`}
        ${o.headers.map(([k, v]) => html`<dt>${k.replace(/^x-amz-/, "")}</dt><dd>${v}</dd>`)}</dl>
      <${Preview} bucket=${bucket} key_=${key} version=${version} of=${o} /></section>`}<//>
    <${Lies} bucket=${bucket} key_=${key} version=${version} />
    ${of.data && html`<${Keeping} bucket=${bucket} key_=${key} version=${version} of=${of.data} onDone=${of.reload} />`}
    ${of.data && html`<${Tags} bucket=${bucket} key_=${key} version=${version} />`}
    ${versions.data?.length > 0 && html`<section><h2>${W.object.versions}</h2><${Table} caption=${W.object.versions} rows=${versions.data} rowKey=${(v) => v.id} columns=${[
      { head: W.objects.version, cell: (v) => html`<a href=${link(["buckets", bucket, "object", key], { version: v.id })} aria-current=${v.id === version ? "page" : undefined}><code>${v.id}</code></a>` },
      { head: "", cell: (v) => (v.marker ? W.objects.marker : "") + (v.latest ? " " + W.objects.latest : "") },
      { head: W.size, right: true, cell: (v) => (v.marker ? "" : bytes(v.size)) }, { head: W.modified, cell: (v) => when(v.modified) }]} /></section>`}
    ${box === "share" && html`<${Share} bucket=${bucket} key_=${key} version=${version} onClose=${close} />`}
    ${box === "remove" && html`<${Confirm} title=${W.object.removeTitle(name)} action=${W.remove} danger onClose=${close} onDo=${async () => {
      await s3("DELETE", bucket, key, { query: { versionId: version } });
      go(["buckets", bucket], { prefix: folder });
    }}><p>${version ? W.objects.removeVersions : W.objects.removeText}</p><//>`}
    ${box === "copy" && html`<${Ask} title=${W.object.copy} action=${W.object.doCopy} onClose=${close} start=${{ bucket, key }} fields=${[
      { name: "bucket", label: W.object.toBucket, required: true }, { name: "key", label: W.object.toKey, required: true }, { name: "move", label: W.object.move, type: "checkbox" }]}
      onDo=${async (v) => {
        if (v.bucket === bucket && v.key === key) throw new Error(W.object.sameName);
        await copyObject(bucket, key, version, of.data.size, v.bucket, v.key, () => {});
        if (v.move) await s3("DELETE", bucket, key);
        go(["buckets", v.bucket, "object", v.key]);
      }} />`}`;
}
