// Targets of event notifications: where they are, what waits for them, a test event.
import { admin } from "../api.js";
import { count, html, num, useState, when } from "../lib.js";
import { Ask, Confirm, Loaded, Notice, Table, useLoad } from "../ui.js";
import { W } from "../words.js";

const T = W.targets;

export function Targets() {
  const all = useLoad(() => admin("ListEventTargets"), [], 10000);
  const [box, open] = useState(null);
  const [told, tell] = useState(null);
  const close = () => open(null);
  const act = async (method, request) => { const a = await admin(method, request); await all.reload(); return a; };
  const test = (id) => act("TestEventTarget", { id }).then(() => tell({ text: T.tested(id) }), (e) => tell({ bad: true, text: e.message }));
  return html`<div class="row"><button onClick=${() => open({ set: {} })}>${T.add}</button></div>
    ${told && html`<${Notice} kind=${told.bad ? "bad" : "good"} onClose=${() => tell(null)}>${told.text}<//>`}
    <${Loaded} of=${all}>${(d) => html`<${Table} caption=${W.settings.parts.targets} rows=${d.targets || []} empty=${T.none} rowKey=${(t) => t.arn || t.id} columns=${[
      { head: W.name, cell: (t) => html`<strong>${t.id || T.unknown}</strong><br /><code>${t.arn}</code>` }, { head: "URL", cell: (t) => html`<span class="names">${t.url}</span>` }, { head: W.settings.source, cell: (t) => t.source },
      { head: T.waiting, right: true, cell: (t) => html`${count(t.waiting)}${t.oldest && num(t.waiting) ? html`<br /><span class="quiet">${T.oldest(when(t.oldest))}</span>` : ""}` },
      { head: T.lost, right: true, cell: (t) => html`<span class=${num(t.lost) ? "bad" : ""}>${count(t.lost)}</span>` },
      { head: html`<span class="hidden">${W.actions}</span>`, right: true, cell: (t) => t.id && html`<button class="second" onClick=${() => test(t.id)}>${T.test}<span class="hidden"> ${t.id}</span></button>
        <button class="second" onClick=${() => open({ set: t })}>${W.settings.set}<span class="hidden"> ${t.id}</span></button>
        ${t.source === "cluster" && html` <button class="second danger" onClick=${() => open({ remove: t })}>${W.remove}<span class="hidden"> ${t.id}</span></button>`}` },
    ]} />`}<//>
    ${box?.set && html`<${Ask} title=${box.set.id ? W.settings.setTitle(box.set.id) : T.add} action=${W.save} onClose=${close} start=${{ id: box.set.id || "", url: box.set.url || "" }} fields=${[
      { name: "id", label: W.name, required: true, readonly: !!box.set.id }, { name: "url", label: "URL", help: T.urlHelp, required: true }, { name: "token", label: T.token, help: box.set.token ? T.tokenHelp : "", type: "password", autocomplete: "off" }]}
      onDo=${(v) => act("SetEventTarget", { ...v, accounts: box.set.accounts || [] })} />`}
    ${box?.remove && html`<${Confirm} title=${W.remove + " " + box.remove.id} action=${W.remove} danger onClose=${close} onDo=${() => act("RemoveEventTarget", { id: box.remove.id })}><p>${T.removeText}</p><//>`}`;
}
