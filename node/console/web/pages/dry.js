// What lifecycle rules would do now: those that are in force, or the text as it was typed.
import { admin } from "../api.js";
import { bytes, count, html, link, num, useState, when } from "../lib.js";
import { Notice, Table, useBusy } from "../ui.js";
import { W } from "../words.js";

const D = W.dry;
const most = 20000; // Versions that are looked at.
const shown = 200;

export function Dry({ bucket, rules }) {
  const [found, set] = useState(null);
  const work = useBusy();
  const look = () => work.run(async () => {
    const out = { due: [], number: 0, size: 0, looked: 0, more: false };
    for (let after; ;) {
      const a = await admin("SimulateLifecycle", { bucket, rules, after });
      for (const d of a.due || []) {
        out.number++;
        out.size += num(d.bytes);
        if (out.due.length < shown) out.due.push(d);
      }
      out.looked += num(a.lookedAt);
      after = a.next;
      out.more = !!after;
      set({ ...out, busy: !!after && out.looked < most });
      if (!after || out.looked >= most) return;
    }
  });
  return html`<section><h2>${D.title}</h2><p class="quiet">${rules ? D.typed : D.saved}</p>
    <button class="second" disabled=${work.busy} onClick=${look}>${D.look}</button>
    ${work.error && html`<${Notice} kind="bad">${work.error.message}<//>`}
    ${found && html`<p role="status">${found.number ? D.due(count(found.number), bytes(found.size), found.looked) : D.none(found.looked)}${found.more && !found.busy ? " " + D.more : ""}</p>
      ${found.number > 0 && html`<${Table} caption=${D.title} rows=${found.due} rowKey=${(d) => d.key + "?" + d.versionId} columns=${[
        { head: D.action, cell: (d) => D.actions[d.action]?.(d.storageClass) || d.action }, { head: D.since, cell: (d) => when(d.since) }, { head: D.rule, cell: (d) => d.rule }, { head: W.size, right: true, cell: (d) => bytes(d.bytes) },
        { head: W.objects.key, cell: (d) => html`<a class="key" href=${link(["buckets", bucket, "object", d.key], { version: d.versionId })}>${d.key}</a>` }, { head: W.objects.version, cell: (d) => html`<code>${d.versionId}</code>` }]} />
        ${found.number > shown && html`<p class="quiet">${W.more(count(found.number - shown))}</p>`}`}`}</section>`;
}
