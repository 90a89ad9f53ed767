// What a node does now: its log, and requests as they are answered.
import { admin, watch } from "../api.js";
import { brief, bytes, html, link, num, useEffect, useRef, useState } from "../lib.js";
import { Field, Heading, Loaded, Notice, State, Table, Tabs, useBusy, useLoad } from "../ui.js";
import { W } from "../words.js";

const L = W.live;
const kept = 500;          // Requests that are shown: the newest.
const lines = 1000;        // Of a log.
const drawEvery = 300;     // Milliseconds: however many requests come, the page is drawn no oftener.
const levels = ["DEBUG", "INFO", "WARN", "ERROR"];

const levelOf = (line) => /(?:\blevel=|"level":")([A-Z]+)/.exec(line)?.[1] || "";

export function Live({ node, part }) {
  const now = part === "requests" || node === "all" ? "requests" : "log", all = node === "all";
  return html`<${Heading} title=${all ? W.nodes.requestsOfAll : W.nodes.node(brief(node))} trail=${[[W.nav.nodes, link(["nodes"])]]} />
    ${!all && html`<${Tabs} label=${L.parts} now=${now} list=${[["log", W.nodes.log], ["requests", W.nodes.requests]]} href=${(id) => link(["nodes", node, id])} />`}
    ${now === "log" ? html`<${Log} node=${node} />` : html`<${Requests} node=${all ? "" : node} />`}`;
}

function Log({ node }) {
  const [live, setLive] = useState(true);
  const [least, setLeast] = useState("DEBUG");
  const [find, setFind] = useState("");
  const log = useLoad(() => admin("ListLogs", { node, lines }), [node], live ? 3000 : 0);
  const fits = (line) => (!levelOf(line) || levels.indexOf(levelOf(line)) >= levels.indexOf(least)) && line.toLowerCase().includes(find.toLowerCase());
  return html`<form class="row" onSubmit=${(e) => e.preventDefault()}>
      <${Field} label=${L.least} type="choice" value=${least} onInput=${setLeast} options=${levels} />
      <${Field} label=${L.contains} type="search" value=${find} onInput=${setFind} />
      <${Field} label=${L.live} type="checkbox" value=${live} onInput=${setLive} /></form>
    <${Level} node=${node} />
    <${Loaded} of=${log}>${(d) => (d.nodes || []).map((n) => {
      const shown = (n.lines || []).filter(fits);
      return n.error ? html`<${Notice} kind="bad">${n.error}<//>` : html`<p class="quiet">${L.linesOf(shown.length, (n.lines || []).length)}</p>
        <pre class="logs" tabindex="0" role="region" aria-label=${W.nodes.log}>${shown.map((l) => html`<span class="line ${levelOf(l)}">${l + "\n"}</span>`)}</pre>`;
    })}<//>`;
}

// Level is what the node logs at all; another one holds for a while.
function Level({ node }) {
  const now = useLoad(() => admin("ListLogLevels", { node }), [node], 15000);
  const [level, choose] = useState("debug");
  const work = useBusy();
  const set = (request) => work.run(async () => { await admin("SetLogLevel", { node, ...request }); await now.reload(); });
  if (now.error?.denied) return null;
  return html`<${Loaded} of=${now}>${(d) => {
    const l = (d.nodes || [])[0] || {};
    return html`<form class="row" onSubmit=${(e) => { e.preventDefault(); set({ level, seconds: 600 }); }}>
      <p>${L.logs} <b>${l.level}</b>${l.until ? " " + L.until(l.until.slice(11, 19)) : ""}</p>
      <${Field} label=${L.other} type="choice" value=${level} onInput=${choose} options=${["debug", "info", "warn", "error"]} />
      <button class="second" disabled=${work.busy}>${L.setLevel}</button>
      ${l.level !== l.configured && html`<button type="button" class="second" disabled=${work.busy} onClick=${() => set({})}>${L.resetLevel}</button>`}</form>
      ${work.error && html`<${Notice} kind="bad">${work.error.message}<//>`}`;
  }}<//>`;
}

// Requests shows them newest first. Those of the console itself are calls of the admin API, which are left out
// unless they are asked for.
function Requests({ node }) {
  const [typed, type] = useState({ operations: "", bucket: "", errors: false, admin: false, slow: "" });
  const [asked, ask] = useState(typed);
  const [live, setLive] = useState(true);
  const [rows, setRows] = useState([]);
  const [state, tell] = useState({});
  const seen = useRef({ rows: [], missed: 0, serial: 0 }).current;
  useEffect(() => {
    if (!live) return undefined;
    const control = new AbortController();
    let due = 0, over = false;
    const draw = () => { due = 0; if (!over) { setRows([...seen.rows]); tell((old) => ({ ...old, missed: seen.missed })); } };
    const each = (e) => {
      seen.missed += num(e.dropped);
      if (e.lostNode) { seen.rows.unshift({ lost: e.lostNode, cause: e.cause, serial: ++seen.serial }); } else if (!e.time || (e.kind === "admin" && !asked.admin)) return;
      else seen.rows.unshift({ ...e, serial: ++seen.serial });
      if (seen.rows.length > kept) seen.rows.length = kept;
      if (!due) due = setTimeout(draw, drawEvery);
    };
    tell({ watching: true, missed: seen.missed });
    watch("Trace", { node, operations: asked.operations.split(/[\s,]+/).filter(Boolean), bucket: asked.bucket.trim(), errors: asked.errors, minDurationMs: Number(asked.slow) || 0 }, each, control.signal)
      .then(() => { if (!over) tell({ ended: L.ended }); }, (e) => { if (!over && e.name !== "AbortError") tell({ ended: e.message || L.ended }); });
    return () => { over = true; clearTimeout(due); control.abort(); };
  }, [node, asked, live]);
  const set = (name) => (v) => type((old) => ({ ...old, [name]: v }));
  return html`<form class="row asks" onSubmit=${(e) => { e.preventDefault(); seen.rows = []; setRows([]); ask({ ...typed }); setLive(true); }}>
      <${Field} label=${L.operations} help=${L.operationsHelp} value=${typed.operations} onInput=${set("operations")} />
      <${Field} label=${W.uploads.bucket} value=${typed.bucket} onInput=${set("bucket")} />
      <${Field} label=${L.slow} type="number" min="0" value=${typed.slow} onInput=${set("slow")} />
      <${Field} label=${L.errors} type="checkbox" value=${typed.errors} onInput=${set("errors")} />
      <${Field} label=${L.admin} type="checkbox" value=${typed.admin} onInput=${set("admin")} />
      <button>${L.watch}</button><button type="button" class="second" onClick=${() => setLive(!live)}>${live ? L.pause : L.goOn}</button></form>
    <p class="quiet" role="status">${state.ended ? L.stopped(state.ended) : live ? L.watching : L.paused}${state.missed ? " " + L.missed(state.missed) : ""}</p>
    <${Table} caption=${W.nodes.requests} empty=${L.none} rows=${rows} rowKey=${(r) => r.serial} columns=${[
      { head: L.time, cell: (r) => (r.lost ? brief(r.lost) : html`<code>${(r.time || "").slice(11, 23)}</code>`) },
      { head: L.operation, cell: (r) => (r.lost ? html`<span class="bad">${r.cause}</span>` : r.operation) },
      { head: L.status, cell: (r) => !r.lost && html`<${State} word=${String(num(r.status) || L.cut)} kind=${num(r.status) >= 500 || !num(r.status) ? "bad" : num(r.status) >= 400 ? "warn" : "good"} />${r.code && html` <span class="quiet" title=${r.cause || ""}>${r.code}</span>`}` },
      { head: L.object, cell: (r) => html`<span class="names">${[r.bucket, r.key].filter(Boolean).join("/")}</span>` },
      { head: L.took, right: true, cell: (r) => !r.lost && (num(r.durationUs) / 1000).toFixed(1) + " ms" },
      { head: W.overview.in, right: true, cell: (r) => !r.lost && bytes(r.bytesIn) }, { head: W.overview.out, right: true, cell: (r) => !r.lost && bytes(r.bytesOut) },
      { head: L.who, cell: (r) => r.user || r.accessKey || (r.lost ? "" : L.anonymous) }, { head: L.remote, cell: (r) => r.remote }, { head: W.jobs.node, cell: (r) => html`<code>${brief(r.node)}</code>` },
    ]} />`;
}
