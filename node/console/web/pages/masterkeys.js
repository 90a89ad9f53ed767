// Master keys of the key service: made, rotated, disabled, deleted after days, and named by aliases.
import { admin } from "../api.js";
import { count, html, useState, when } from "../lib.js";
import { Ask, Confirm, Loaded, State, Table, useLoad } from "../ui.js";
import { W } from "../words.js";

const M = W.masterKeys;

// deeds are what may be done to a key in a state.
const deeds = { rotate: "KEY_CHANGE_ROTATE", disable: "KEY_CHANGE_DISABLE", enable: "KEY_CHANGE_ENABLE", cancel: "KEY_CHANGE_CANCEL_DELETION" };
const may = (k) => (k.state === "enabled" ? [...(k.external ? [] : ["rotate"]), "disable"] : k.state === "disabled" ? ["enable"] : ["cancel"]);

export function MasterKeys({ account }) {
  const all = useLoad(() => admin("ListMasterKeys", { account }), [account]);
  const [box, open] = useState(null);
  const close = () => open(null);
  const act = async (method, request) => { await admin(method, request); await all.reload(); };
  return html`<div class="row"><button onClick=${() => open({ add: true })}>${M.add}</button></div>
    <${Loaded} of=${all}>${(d) => html`<${Table} caption=${W.access.masterKeys} rows=${d.keys || []} rowKey=${(k) => k.id} columns=${[
      { head: "Id", cell: (k) => html`<code>${k.id}</code><br /><span class="quiet">${k.description}</span>` },
      { head: M.aliases, cell: (k) => (k.aliases || []).map((a) => html`<span class="tag">${a}</span> `) },
      { head: W.state, cell: (k) => html`<${State} word=${k.state} kind=${k.state === "enabled" ? "good" : "warn"} />${k.deleteAt && html`<br />${M.deleteAt(when(k.deleteAt))}`}` },
      { head: M.versions, right: true, cell: (k) => (k.external ? M.external : count((k.versions || []).length)) }, { head: W.created, cell: (k) => when(k.created) },
      { head: html`<span class="hidden">${W.actions}</span>`, right: true, cell: (k) => html`${may(k).map((what) => html`<button class="second" onClick=${() => open({ what, k })}>${M.deeds[what]}<span class="hidden"> ${k.id}</span></button> `)}
        <button class="second" onClick=${() => open({ alias: k })}>${M.alias}<span class="hidden"> ${k.id}</span></button>
        ${k.state !== "pending-deletion" && html` <button class="second danger" onClick=${() => open({ remove: k })}>${W.remove}<span class="hidden"> ${k.id}</span></button>`}` },
    ]} />`}<//>
    ${box?.add && html`<${Ask} title=${M.add} action=${W.access.doAdd} onClose=${close} fields=${[{ name: "description", label: W.access.description }, { name: "alias", label: M.alias }]}
      onDo=${(v) => act("CreateMasterKey", { account, ...v })} />`}
    ${box?.what && html`<${Confirm} title=${M.deeds[box.what] + " " + box.k.id} action=${M.deeds[box.what]} danger=${box.what === "disable"} onClose=${close}
      onDo=${() => act("ChangeMasterKey", { id: box.k.id, change: deeds[box.what] })}><p>${M.help[box.what]}</p><//>`}
    ${box?.alias && html`<${Ask} title=${M.aliasOf(box.alias.id)} action=${W.save} onClose=${close} fields=${[{ name: "alias", label: M.alias, help: M.aliasHelp, required: true }]}
      onDo=${(v) => act("SetKeyAlias", { id: box.alias.id, alias: v.alias })} />`}
    ${box?.remove && html`<${Ask} title=${W.remove + " " + box.remove.id} action=${M.schedule} onClose=${close} start=${{ days: "30" }} fields=${[{ name: "days", label: M.days, type: "number", min: 1, required: true }]}
      onDo=${(v) => act("ChangeMasterKey", { id: box.remove.id, change: "KEY_CHANGE_SCHEDULE_DELETION", days: Number(v.days) })}><p>${M.help.remove}</p><//>`}`;
}
