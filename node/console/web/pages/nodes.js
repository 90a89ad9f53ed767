// Nodes: a picture of zones, nodes and drives; drain, use again and remove, each after its plan was read.
import { admin } from "../api.js";
import { brief, bytes, duration, html, link, num, useState } from "../lib.js";
import { Live } from "./live.js";
import { Confirm, Heading, Loaded, Meter, Notice, State, useLoad } from "../ui.js";
import { W } from "../words.js";

const deeds = { drain: "DrainNode", undrain: "UndrainNode", remove: "RemoveNode" };

// Deed shows what the cluster says of a deed before it is done.
function Deed({ what, node, onClose, onDone }) {
  const plan = useLoad(() => admin("ShowPlan", { node: node.id, remove: what === "remove", undrain: what === "undrain" }), [what, node.id]);
  const p = plan.data;
  return html`<${Confirm} title=${W.nodes.titles[what](node.s3Addr)} action=${W.nodes[what]} danger=${what === "remove"} word=${what === "remove" ? brief(node.id) : ""} ready=${p && !p.refused} onClose=${onClose}
    onDo=${async () => {
      await admin(deeds[what], { node: node.id });
      await onDone();
    }}>
    <${Loaded} of=${plan}>${(d) => html`<dl><dt>${W.nodes.slots}</dt><dd>${W.nodes.slotsOf(d.slots || 0, bytes(d.bytes), d.moving || 0)}</dd>
      ${num(d.staying) > 0 && html`<dt>${W.nodes.staying}</dt><dd class="warn">${d.staying}</dd>`}
      <dt>${W.nodes.before}</dt><dd>${d.before?.text}</dd><dt>${W.nodes.after}</dt><dd>${d.after?.text}</dd></dl>
      ${d.refused && html`<${Notice} kind="bad">${W.nodes.refused} ${d.why}<//>`}
      ${(d.losses || []).map((l) => html`<${Notice} kind="warn">${l}<//>`)}`}<//><//>`;
}

function Node({ n, act }) {
  const slots = (n.drives || []).reduce((sum, d) => sum + num(d.slots), 0);
  return html`<article class="node" aria-label=${W.nodes.node(n.s3Addr)}>
    <header><strong>${n.s3Addr}</strong> <code>${brief(n.id)}</code> <${State} word=${n.state} />${n.life && n.life !== "active" && html`<${State} word=${n.life} />`}
      ${n.leader ? html`<${State} word=${W.nodes.leader} />` : n.voter && html`<${State} word=${W.nodes.voter} />`}</header>
    ${n.life === "draining" && html`<p role="status">${slots ? W.nodes.drains(slots) : W.nodes.drained}</p>`}
    <p class="quiet">${n.answered ? W.nodes.up(n.version, duration(n.uptimeSeconds)) : W.nodes.silent}</p>
    <ul class="drives">${(n.drives || []).map((d) => html`<li><code>${brief(d.id)}</code> <${State} word=${d.state} />
      <${Meter} used=${num(d.capacityBytes) - num(d.freeBytes)} of=${num(d.freeBytes) ? num(d.capacityBytes) : 0} label=${W.nodes.fill(bytes(d.usedBytes), bytes(d.freeBytes))} />
      <small class="quiet">${W.nodes.fill(bytes(d.usedBytes), bytes(d.freeBytes))}</small></li>`)}</ul>
    <div class="row">${n.life === "draining" ? html`<button class="second" onClick=${() => act("undrain", n)}>${W.nodes.undrain}</button>` : html`<button class="second" onClick=${() => act("drain", n)}>${W.nodes.drain}</button>`}
      <button class="second danger" onClick=${() => act("remove", n)}>${W.nodes.remove}</button><a class="button second" href=${link(["nodes", n.id, "log"])}>${W.nodes.log}</a><a class="button second" href=${link(["nodes", n.id, "requests"])}>${W.nodes.requests}</a></div></article>`;
}

export function Nodes({ node, part }) {
  const all = useLoad(() => admin("ListNodes"), [], 4000);
  const [box, act] = useState(null);
  if (node) return html`<${Live} key=${node} node=${node} part=${part} />`;
  return html`<${Heading} title=${W.nav.nodes}><a class="button second" href=${link(["nodes", "all", "requests"])}>${W.nodes.requestsOfAll}</a><//>
    <${Loaded} of=${all}>${(d) => {
      const zones = Map.groupBy ? Map.groupBy(d.nodes || [], (n) => n.zone || "") : (d.nodes || []).reduce((m, n) => m.set(n.zone || "", [...(m.get(n.zone || "") || []), n]), new Map());
      return html`<div class="zones">${[...zones].map(([zone, nodes]) => html`<section class="zone" key=${zone}><h2>${zone ? W.nodes.zone(zone) : W.nodes.noZone}</h2>
        <div class="nodes">${nodes.map((n) => html`<${Node} key=${n.id} n=${n} act=${(what, of) => act([what, of])} />`)}</div></section>`)}</div>`;
    }}<//>
    ${box && html`<${Deed} what=${box[0]} node=${box[1]} onClose=${() => act(null)} onDone=${all.reload} />`}`;
}
