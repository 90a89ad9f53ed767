// Settings that the cluster can change while it runs: what is in force, and where it comes from.
import { admin } from "../api.js";
import { html, link, useState } from "../lib.js";
import { Ask, Confirm, Field, Heading, Loaded, Table, Tabs, useLoad } from "../ui.js";
import { Targets } from "./targets.js";
import { W } from "../words.js";

// parts of the page, by their names in addresses.
const parts = { settings: () => html`<${List} />`, targets: () => html`<${Targets} />` };

export function Settings({ part }) {
  const now = parts[part] ? part : "settings";
  return html`<${Heading} title=${W.nav.settings} />
    <${Tabs} label=${W.nav.settings} now=${now} list=${Object.keys(parts).map((k) => [k, W.settings.parts[k]])} href=${(k) => link(["settings", k])} />${parts[now]()}`;
}

function List() {
  const all = useLoad(() => admin("ListSettings"), []);
  const [find, setFind] = useState("");
  const [box, open] = useState(null);
  const close = () => open(null);
  return html`<${Field} label=${W.settings.find} type="search" value=${find} onInput=${setFind} />
    <${Loaded} of=${all}>${(d) => html`<${Table} caption=${W.nav.settings} rows=${(d.settings || []).filter((s) => (s.name + " " + s.help).toLowerCase().includes(find.toLowerCase()))} rowKey=${(s) => s.name} columns=${[
      { head: W.name, cell: (s) => html`<strong>${s.name}</strong><br /><span class="quiet">${s.help}</span>` },
      { head: W.settings.value, cell: (s) => html`<code>${s.value}</code>` }, { head: W.settings.source, cell: (s) => s.source }, { head: W.settings.default, cell: (s) => html`<code>${s.default}</code>` },
      { head: html`<span class="hidden">${W.actions}</span>`, right: true, cell: (s) => html`<button class="second" onClick=${() => open({ set: s })}>${W.settings.set}<span class="hidden"> ${s.name}</span></button>
        ${s.source === "cluster" && html` <button class="second" onClick=${() => open({ reset: s })}>${W.settings.reset}<span class="hidden"> ${s.name}</span></button>`}` },
    ]} />`}<//>
    ${box?.set && html`<${Ask} title=${W.settings.setTitle(box.set.name)} action=${W.save} onClose=${close} start=${{ value: box.set.value }}
      fields=${[{ name: "value", label: W.settings.value, help: box.set.unit, ...(box.set.values?.length ? { type: "choice", options: box.set.values } : {}) }]}
      onDo=${async (v) => { await admin("SetSetting", { name: box.set.name, value: v.value }); await all.reload(); }}><p>${box.set.help}</p><//>`}
    ${box?.reset && html`<${Confirm} title=${W.settings.resetTitle(box.reset.name)} action=${W.settings.reset} onClose=${close}
      onDo=${async () => { await admin("ResetSetting", { name: box.reset.name }); await all.reload(); }}><p>${W.settings.resetText(box.reset.default)}</p><//>`}`;
}
