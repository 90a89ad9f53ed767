// Properties of a bucket: each is a document of S3, shown and changed by a form where there is one, or as such. What
// is wrong with one the server says, in words.
import { s3 } from "../api.js";
import { html, link, useState } from "../lib.js";
import { Confirm, Field, Heading, Loaded, Notice, useBusy, useLoad } from "../ui.js";
import { Dry } from "./dry.js";
import { Form, forms, loses, start } from "./forms.js";
import { bucketTabs } from "./objects.js";
import { Faults, Who } from "./policy.js";
import { W } from "../words.js";

const P = W.properties;
const ns = ' xmlns="http://s3.amazonaws.com/doc/2006-03-01/"';

// documents are the sub-resources: what a new one may look like, and whether it can be deleted.
const documents = {
  versioning: { start: `<VersioningConfiguration${ns}>\n  <Status>Enabled</Status>\n</VersioningConfiguration>` },
  policy: { json: true, remove: true, start: (b) => JSON.stringify({ Version: "2012-10-17", Statement: [{ Effect: "Allow", Principal: { AWS: "ACCOUNT" }, Action: "s3:GetObject", Resource: `arn:aws:s3:::${b}/*` }] }, null, 2) },
  acl: {},
  cors: { remove: true, start: `<CORSConfiguration>\n  <CORSRule>\n    <AllowedOrigin>https://example.com</AllowedOrigin>\n    <AllowedMethod>GET</AllowedMethod>\n  </CORSRule>\n</CORSConfiguration>` },
  lifecycle: { remove: true, start: `<LifecycleConfiguration>\n  <Rule>\n    <ID>old</ID>\n    <Status>Enabled</Status>\n    <Filter><Prefix>tmp/</Prefix></Filter>\n    <Expiration><Days>30</Days></Expiration>\n  </Rule>\n</LifecycleConfiguration>` },
  notification: { start: `<NotificationConfiguration>\n</NotificationConfiguration>` },
  encryption: { remove: true, start: `<ServerSideEncryptionConfiguration>\n  <Rule>\n    <ApplyServerSideEncryptionByDefault><SSEAlgorithm>AES256</SSEAlgorithm></ApplyServerSideEncryptionByDefault>\n  </Rule>\n</ServerSideEncryptionConfiguration>` },
  "object-lock": { start: `<ObjectLockConfiguration>\n  <ObjectLockEnabled>Enabled</ObjectLockEnabled>\n</ObjectLockConfiguration>` },
  website: { remove: true, start: `<WebsiteConfiguration>\n  <IndexDocument><Suffix>index.html</Suffix></IndexDocument>\n</WebsiteConfiguration>` },
  tagging: { remove: true, start: `<Tagging>\n  <TagSet>\n    <Tag><Key>team</Key><Value>storage</Value></Tag>\n  </TagSet>\n</Tagging>` },
  logging: { start: `<BucketLoggingStatus${ns}>\n</BucketLoggingStatus>` },
  quota: { start: `<Quota>\n  <StorageQuota>0</StorageQuota>\n</Quota>` },
};

// laidOut puts a document on lines of its own.
function laidOut(text, json) {
  if (json) { try { return JSON.stringify(JSON.parse(text), null, 2); } catch { return text; } }
  let depth = 0;
  return text.replace(/^<\?xml[^>]*>\s*/, "").replace(/>\s*</g, ">\n<").split("\n").map((l) => {
    if (/^<\//.test(l)) depth--;
    const line = "  ".repeat(Math.max(0, depth)) + l;
    if (/^<[^/!?][^>]*[^/]>$/.test(l) && !/<\//.test(l)) depth++;
    return line;
  }).join("\n");
}

function Document({ bucket, id }) {
  const d = documents[id], form = forms[id];
  const now = useLoad(async () => {
    try { return laidOut(await (await s3("GET", bucket, undefined, { query: { [id]: "" } })).text(), d.json); } catch (e) { if (e.missing && e.code !== "NoSuchBucket") return ""; throw e; }
  }, [bucket, id]);
  // Nothing until somebody types: what is loaded never takes words away.
  const [typed, set] = useState();
  const [values, fill] = useState();
  const [raw, setRaw] = useState(false);
  const text = typed ?? now.data ?? "";
  const [saved, tell] = useState("");
  const [box, open] = useState(false);
  const work = useBusy();
  const rich = form && now.data ? loses(form, now.data) : false, byForm = form && !rich && !raw;
  const save = async (e) => {
    e.preventDefault();
    tell("");
    if (await work.run(async () => {
      const body = byForm ? form.write(values ?? start(form, now.data)) : text;
      await s3("PUT", bucket, undefined, { query: { [id]: "" }, checked: true, body: new TextEncoder().encode(body), headers: { "Content-Type": d.json ? "application/json" : "application/xml" } });
      await now.reload();
      set(undefined);
      fill(undefined);
    })) tell(P.saved);
  };
  return html`<div><section><h2>${P.names[id]}</h2><p class="quiet">${P.help[id]}</p>
    <${Loaded} of=${now}>${(old) => html`<form onSubmit=${save}>
      ${!old && html`<p>${P.unset} ${!byForm && d.start && html`<button type="button" class="second" onClick=${() => set(typeof d.start === "function" ? d.start(bucket) : d.start)}>${P.example}</button>`}</p>`}
      ${rich && html`<${Notice}>${P.rich}<//>`}
      ${byForm ? html`<${Form} form=${form} values=${values ?? start(form, old)} set=${(v) => { fill(v); tell(""); }} />`
        : html`<textarea aria-label=${P.names[id]} value=${text} spellcheck=${false} rows="16" onInput=${(e) => { set(e.target.value); tell(""); }}></textarea>`}
      ${id === "policy" && html`<${Faults} text=${text} bucket=${bucket} />`}
      ${work.error && html`<${Notice} kind="bad">${work.error.message}<//>`}
      <div class="row"><button disabled=${work.busy || (byForm ? old && values === undefined : !text || text === old)}>${W.save}</button>${d.remove && old && html`<button type="button" class="second danger" onClick=${() => open(true)}>${W.remove}</button>`}<span role="status">${saved}</span></div>
      ${form && !rich && html`<${Field} label=${P.raw} type="checkbox" value=${raw} onInput=${(v) => { setRaw(v); set(undefined); fill(undefined); }} />`}</form>`}<//>
    ${box && html`<${Confirm} title=${P.removeTitle(P.names[id])} action=${W.remove} danger onClose=${() => open(false)}
      onDo=${async () => { await s3("DELETE", bucket, undefined, { query: { [id]: "" } }); await now.reload(); set(undefined); fill(undefined); }}><p>${P.removeText}</p><//>`}</section>
    ${id === "policy" && html`<${Who} bucket=${bucket} />`}${id === "lifecycle" && html`<${Dry} key=${text} bucket=${bucket} rules=${typed === undefined ? "" : text} />`}</div>`;
}

export function Properties({ bucket, open }) {
  const id = documents[open] ? open : "versioning";
  return html`<${Heading} title=${bucket} trail=${[[W.nav.buckets, link(["buckets"])]]} />${bucketTabs(bucket, "properties")}
    <div class="documents"><nav aria-label=${W.buckets.properties}>${Object.keys(documents).map((k) => html`<a href=${link(["buckets", bucket, "properties", k])} aria-current=${k === id ? "page" : undefined}>${P.names[k]}</a>`)}</nav>
      <${Document} key=${id} bucket=${bucket} id=${id} /></div>`;
}
