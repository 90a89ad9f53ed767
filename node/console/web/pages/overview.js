// Overview: how the cluster is, what to do, and what it has done in the last hour.
import { admin } from "../api.js";
import { Chart } from "../chart.js";
import { bytes, count, duration, html, link, num, useEffect, useState } from "../lib.js";
import { Heading, Loaded, Meter, Notice, Progress, State, Table, kindOf, useLoad } from "../ui.js";
import { W } from "../words.js";

const every = 5000;
const hour = 360; // Samples.

// mends says which page mends what a check of health found.
const mends = { nodes: "nodes", drives: "nodes", volumes: "nodes", capacity: "nodes", jobs: "jobs", settings: "settings", metadata: "nodes" };

// useHistory has the samples of the last hour, and asks for what is new.
function useHistory() {
  const [all, set] = useState({ samples: [] });
  useEffect(() => {
    let over = false, have = [];
    const ask = async () => {
      if (document.hidden && have.length) return;
      try {
        const h = await admin("ShowHistory", { after: String(have.length ? num(have[have.length - 1].time) : 0) });
        const known = have.length ? num(have[have.length - 1].time) : 0;
        have = [...have, ...(h.samples || []).filter((s) => num(s.time) > known)].slice(-hour);
        if (!over) set({ samples: have, step: h.stepSeconds || 10, bounds: h.leSeconds || all.bounds || [], silent: h.silent || [] });
      } catch (error) { if (!over) set((old) => ({ ...old, error })); }
    };
    ask();
    const timer = setInterval(ask, every);
    return () => { over = true; clearInterval(timer); };
  }, []);
  return all;
}

// quantile is the latency that a share of requests did not exceed, as far as the classes tell.
function quantile(s, bounds, share) {
  const classes = (s.latency || []).map(num), all = classes.reduce((a, b) => a + b, 0);
  if (!all) return null;
  let seen = 0;
  for (let i = 0; i < classes.length; i++) {
    if (seen + classes[i] >= share * all) {
      const low = i ? bounds[i - 1] : 0, high = i < bounds.length ? bounds[i] : bounds[bounds.length - 1];
      return low + (high - low) * ((share * all - seen) / classes[i]);
    }
    seen += classes[i];
  }
  return bounds[bounds.length - 1];
}

const rate = (v) => bytes(v) + "/s";
const perSecond = (v) => (v >= 100 ? Math.round(v) : v.toFixed(v >= 10 ? 1 : 2).replace(/\.?0+$/, "")) + "/s";
const latency = (v) => (v >= 1 ? v.toFixed(1) + " s" : Math.round(v * 1000) + " ms");

function Charts({ history: h }) {
  const times = h.samples.map((s) => num(s.time)), step = h.step || 10;
  const each = (f) => h.samples.map(f);
  if (!times.length) return html`<p class="quiet">${h.error ? h.error.message : W.overview.noHistory}</p>`;
  return html`<div class="charts">
    <${Chart} title=${W.overview.throughput} times=${times} format=${rate} floor=${1024} series=${[
      { name: W.overview.in, colour: "--c1", values: each((s) => num(s.bytesIn) / step) }, { name: W.overview.out, colour: "--c2", values: each((s) => num(s.bytesOut) / step) }]} />
    <${Chart} title=${W.overview.requests} times=${times} format=${perSecond} series=${[{ name: W.overview.all, colour: "--c1", values: each((s) => num(s.requests) / step) }]} />
    <${Chart} title=${W.overview.errors} times=${times} format=${perSecond} series=${[
      { name: W.overview.client, colour: "--c3", values: each((s) => num(s.clientErrors) / step) }, { name: W.overview.server, colour: "--c4", values: each((s) => num(s.serverErrors) / step) }]} />
    <${Chart} title=${W.overview.latency} times=${times} format=${latency} series=${[
      { name: W.overview.half, colour: "--c1", values: each((s) => quantile(s, h.bounds, 0.5)) }, { name: W.overview.slowest, colour: "--c4", values: each((s) => quantile(s, h.bounds, 0.99)) }]} />
  </div>${h.silent?.length ? html`<p class="quiet">${W.overview.silent(h.silent.length)}</p>` : ""}`;
}

export function JobList({ jobs, empty }) {
  return html`<${Table} caption=${W.jobs.title} rows=${jobs} empty=${empty} rowKey=${(j) => j.name + j.node} columns=${[
    { head: W.jobs.name, cell: (j) => j.name },
    { head: W.state, cell: (j) => html`<${State} word=${j.state} />` },
    { head: W.jobs.progress, cell: (j) => num(j.total) ? html`<${Progress} done=${num(j.done)} total=${num(j.total)} label=${W.jobs.progressOf(j.name)} /> ${count(j.done)} / ${count(j.total)}` : num(j.done) ? count(j.done) : "" },
    { head: W.jobs.eta, cell: (j) => num(j.etaSeconds) ? duration(j.etaSeconds) : "" },
    { head: W.jobs.detail, cell: (j) => html`${j.detail}${j.error && html` <span class="bad">${j.error}</span>`}` },
  ]} />`;
}

export function Overview() {
  const status = useLoad(() => admin("Status"), [], every);
  const history = useHistory();
  return html`<${Heading} title=${W.nav.overview} />
    <${Loaded} of=${status}>${(s) => {
      const checks = (s.checks || []).filter((c) => c.state !== "healthy");
      return html`
      <section class="health ${kindOf(s.health)}" aria-label=${W.overview.health}>
        <p class="sentence"><strong>${s.health}</strong>: ${s.healthReason}</p>
        ${checks.map((c) => html`<p><${State} word=${c.state} /> ${c.found}${c.action && html`. ${W.overview.todo} ${c.action}`} ${mends[c.name] && html`<a href=${link([mends[c.name]])}>${W.overview.mend(W.nav[mends[c.name]])}</a>`}</p>`)}
      </section>
      <div class="cards">
        <section class="card"><h2>${W.overview.mayBeLost}</h2><p>${s.tolerance?.text || W.overview.noTolerance}</p>
          ${num(s.extentsUnreadable) > 0 && html`<${Notice} kind="bad">${W.overview.unreadable(count(s.extentsUnreadable), bytes(s.bytesUnreadable))} ${(s.bringBack || []).join("; ")}<//>`}</section>
        <section class="card"><h2>${W.overview.capacity}</h2><p class="big">${bytes(s.storableBytes)}</p><p>${W.overview.canStore(bytes(s.usedBytes), bytes(s.capacityBytes))}</p>
          <${Meter} used=${num(s.capacityBytes) - num(s.freeBytes)} of=${num(s.capacityBytes)} label=${W.overview.full(Math.round(100 * (1 - num(s.freeBytes) / (num(s.capacityBytes) || 1))))} /></section>
        <section class="card"><h2>${W.overview.metadata}</h2><dl>
          <dt>${W.overview.voters}</dt><dd>${W.overview.alive(s.votersAlive || 0, s.voters || 0)}</dd>
          <dt>${W.overview.leader}</dt><dd>${s.leader ? html`<code>${s.leader.slice(0, 8)}</code> ${(s.nodes || []).find((n) => n.id === s.leader)?.s3Addr || ""}` : W.overview.noLeader}</dd>
          <dt>${W.overview.commit}</dt><dd>${count(s.commitIndex)}</dd><dt>${W.nav.buckets}</dt><dd>${count(s.buckets)}</dd></dl></section>
        <section class="card"><h2>${W.overview.repair}</h2><dl>
          <dt>${W.overview.lacking}</dt><dd class=${num(s.extentsMissing) ? "warn" : ""}>${count(s.extentsMissing)}</dd>
          <dt>${W.overview.garbage}</dt><dd>${count(num(s.extentsGc) + num(s.extentsDoomed))}</dd>
          <dt>${W.overview.nodes}</dt><dd>${W.overview.alive((s.nodes || []).filter((n) => n.state === "alive").length, (s.nodes || []).length)}</dd></dl></section>
      </div>
      ${(s.warnings || []).length > 0 && html`<section><h2>${W.overview.warnings}</h2><ul>${s.warnings.map((w) => html`<li>${w}</li>`)}</ul></section>`}
      <section><h2>${W.overview.lastHour}</h2><${Charts} history=${history} /></section>
      <section><h2>${W.jobs.title}</h2><${JobList} jobs=${s.jobs || []} empty=${W.jobs.none} /></section>`;
    }}<//>`;
}
