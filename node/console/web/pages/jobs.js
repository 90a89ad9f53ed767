// Jobs: background work of the nodes, with pause and resume.
import { admin } from "../api.js";
import { brief, count, duration, html, num, useState, when } from "../lib.js";
import { Field, Heading, Loaded, Notice, Progress, State, Table, useBusy, useLoad } from "../ui.js";
import { W } from "../words.js";

export function Jobs() {
  const jobs = useLoad(() => admin("ListJobs"), [], 3000);
  const [idle, showIdle] = useState(false);
  const work = useBusy();
  const turn = (method, name) => work.run(async () => { await admin(method, { name }); await jobs.reload(); });
  return html`<${Heading} title=${W.nav.jobs} />
    ${work.error && html`<${Notice} kind="bad" onClose=${work.clear}>${work.error.message}<//>`}
    <${Field} type="checkbox" label=${W.jobs.idle} value=${idle} onInput=${showIdle} />
    <${Loaded} of=${jobs}>${(d) => html`
      <${Table} caption=${W.jobs.title} empty=${W.jobs.none} rows=${(d.jobs || []).filter((j) => idle || j.state !== "idle")} rowKey=${(j) => j.name + j.node} columns=${[
        { head: W.jobs.name, cell: (j) => j.name }, { head: W.jobs.node, cell: (j) => html`<code>${brief(j.node)}</code>` },
        { head: W.state, cell: (j) => html`<${State} word=${j.state} />` },
        { head: W.jobs.progress, cell: (j) => num(j.total) ? html`<${Progress} done=${num(j.done)} total=${num(j.total)} label=${W.jobs.progressOf(j.name)} /> ${count(j.done)} / ${count(j.total)}` : num(j.done) ? count(j.done) : "" },
        { head: W.jobs.eta, cell: (j) => (num(j.etaSeconds) ? duration(j.etaSeconds) : "") },
        { head: W.jobs.detail, cell: (j) => html`${j.detail} ${j.pausedBy && W.jobs.pausedBy(j.pausedBy) + " " + when(j.pausedAt)}${j.error && html`<span class="bad">${j.error}</span>`}` },
        { head: html`<span class="hidden">${W.actions}</span>`, right: true, cell: (j) => j.state === "paused"
          ? html`<button class="second" disabled=${work.busy} onClick=${() => turn("ResumeJob", j.name)}>${W.jobs.resume}<span class="hidden"> ${j.name}</span></button>`
          : html`<button class="second" disabled=${work.busy} onClick=${() => turn("PauseJob", j.name)}>${W.jobs.pause}<span class="hidden"> ${j.name}</span></button>` },
      ]} />
      ${d.silent?.length > 0 && html`<p class="quiet">${W.jobs.silent(d.silent.length)}</p>`}`}<//>`;
}
