// The pieces that pages are made of.
import { html, useCallback, useEffect, useRef, useState } from "./lib.js";
import { W } from "./words.js";

// useLoad loads something, again whenever one of deps changes, and every so many milliseconds while the page is
// looked at. It keeps what it had while it loads anew.
export function useLoad(load, deps, every) {
  const [state, set] = useState({ loading: true });
  const turn = useRef(0);
  const reload = useCallback(() => {
    const mine = ++turn.current;
    const latest = (f) => (x) => { if (mine === turn.current) f(x); };
    return load().then(latest((data) => set({ data })), latest((error) => set((old) => ({ data: old.data, error }))));
  }, deps);
  useEffect(() => {
    set({ loading: true });
    reload();
    const timer = every && setInterval(() => { if (!document.hidden) reload(); }, every);
    return () => { turn.current++; clearInterval(timer); };
  }, [reload]);
  return { ...state, reload };
}

// Loaded shows what was loaded, or why it was not.
export function Loaded({ of, children }) {
  return html`
    ${of.error && html`<${Notice} kind="bad">${of.error.message}<//>`}
    ${of.data !== undefined ? children(of.data) : of.loading && html`<p class="quiet" role="status">${W.loading}</p>`}`;
}

// Notice says something in a box. A bad one is read out at once.
export const Notice = ({ kind = "info", children, onClose }) => html`
  <div class="notice ${kind}" role=${kind === "bad" ? "alert" : "status"}><div>${children}</div>
    ${onClose && html`<button class="plain" onClick=${onClose} aria-label=${W.dismiss}>×</button>`}</div>`;

// State is a word with a colour: a health, a state of a node, of a job.
const kinds = {
  good: ["healthy", "alive", "ok", "active", "whole", "present", "done", "enabled", "idle"],
  warn: ["warning", "suspect", "draining", "slow", "degraded", "endangered", "moving", "rebuilding", "unreachable", "paused", "suspended", "waiting", "full"],
  bad: ["critical", "down", "failed", "lost", "missing", "unreadable", "disabled"],
};
export const kindOf = (word) => Object.keys(kinds).find((k) => kinds[k].includes(word)) || "info";
export const State = ({ word, kind }) => html`<span class="state ${kind || kindOf(word)}">${word}</span>`;

// Meter is how full something is.
export const Meter = ({ used, of, label }) => {
  const share = of ? Math.min(100, (used / of) * 100) : 0;
  return html`<div class="meter" role="img" aria-label=${label}><i class=${share > 90 ? "bad" : share > 75 ? "warn" : ""} style=${{ width: share + "%" }}></i></div>`;
};

// Progress is how far something has come.
export const Progress = ({ done, total, label }) =>
  html`<progress max=${total || 1} value=${total ? done : undefined} aria-label=${label}></progress>`;

// Table has a header and rows; each column is { head, cell(row), right }.
export const Table = ({ caption, columns, rows, empty, rowKey }) => html`
  <div class="scroll" tabindex="0" role="region" aria-label=${caption}><table>
    <caption class="hidden">${caption}</caption>
    <thead><tr>${columns.map((c) => html`<th scope="col" class=${c.right ? "right" : ""}>${c.head}</th>`)}</tr></thead>
    <tbody>${rows.length ? rows.map((r, i) => html`<tr key=${rowKey ? rowKey(r) : i}>${columns.map((c) =>
      html`<td class=${c.right ? "right" : ""} data-head=${typeof c.head === "string" ? c.head : undefined}>${c.cell(r)}</td>`)}</tr>`)
      : html`<tr><td colspan=${columns.length} class="quiet">${empty || W.nothing}</td></tr>`}</tbody>
  </table></div>`;

let fields = 0;

// Field is an input with its label. type "area" is a text of several lines, "choice" a list of options.
export function Field({ label, help, type = "text", value, onInput, options, ...rest }) {
  const id = useRef("f" + ++fields).current;
  const input = (e) => onInput(type === "checkbox" ? e.target.checked : e.target.value);
  const common = { id, "aria-describedby": help ? id + "h" : undefined, ...rest };
  const box = type === "area" ? html`<textarea ...${common} value=${value} onInput=${input} spellcheck=${false}></textarea>`
    : type === "choice" ? html`<select ...${common} onChange=${input}>${options.map((o) => {
      const [v, text] = Array.isArray(o) ? o : [o, o];
      return html`<option value=${v} selected=${v === value}>${text}</option>`;
    })}</select>`
    : type === "checkbox" ? html`<input type="checkbox" ...${common} checked=${value} onChange=${input} />`
    : html`<input type=${type} ...${common} value=${value} onInput=${input} />`;
  return html`<div class="field ${type}"><label for=${id}>${label}</label>${box}${help && html`<small id=${id + "h"}>${help}</small>`}</div>`;
}

// useBusy runs something once at a time, and keeps its failure to be shown.
export function useBusy() {
  const [busy, setBusy] = useState(false);
  const [error, setError] = useState(null);
  const run = async (f) => {
    if (busy) return false;
    setBusy(true);
    setError(null);
    try { await f(); return true; } catch (e) { setError(e); return false; } finally { setBusy(false); }
  };
  return { busy, error, run, clear: () => setError(null) };
}

// Dialog is a box above the page, which has the focus until it is closed.
export function Dialog({ title, onClose, children }) {
  const box = useRef();
  useEffect(() => {
    const before = document.activeElement;
    box.current.showModal();
    return () => before?.focus?.();
  }, []);
  return html`<dialog ref=${box} aria-label=${title} onCancel=${(e) => { e.preventDefault(); onClose(); }}>
    <header><h2>${title}</h2><button class="plain" onClick=${onClose} aria-label=${W.close}>×</button></header>${children}</dialog>`;
}

// Confirm asks before something is done, once it is ready. `word` has to be typed where the deed cannot be undone.
export function Confirm({ title, action, danger, word, ready = true, onDo, onClose, children }) {
  const [typed, setTyped] = useState("");
  const work = useBusy();
  const submit = async (e) => {
    e.preventDefault();
    if (await work.run(onDo)) onClose();
  };
  return html`<${Dialog} title=${title} onClose=${onClose}><form onSubmit=${submit}>
    ${children}
    ${word && html`<${Field} label=${W.typeToConfirm(word)} value=${typed} onInput=${setTyped} autocomplete="off" />`}
    ${work.error && html`<${Notice} kind="bad">${work.error.message}<//>`}
    <div class="row end"><button type="button" class="second" onClick=${onClose}>${W.cancel}</button>
      <button class=${danger ? "danger" : ""} disabled=${work.busy || !ready || (word && typed !== word)}>${action}</button></div>
  </form><//>`;
}

// Ask is a form in a dialog: fields are { name, label, … } as Field takes them. Children stand above them; if they are
// a function, it is given what was typed, and stands below.
export function Ask({ title, action, fields: list, start = {}, onDo, onClose, children }) {
  const [values, set] = useState(() => Object.fromEntries(list.map((f) => [f.name, start[f.name] ?? f.value ?? (f.type === "checkbox" ? false : "")])));
  const work = useBusy();
  const submit = async (e) => {
    e.preventDefault();
    if (await work.run(() => onDo(values))) onClose();
  };
  return html`<${Dialog} title=${title} onClose=${onClose}><form onSubmit=${submit}>
    ${typeof children !== "function" && children}
    ${list.map(({ name, value, ...f }) => html`<${Field} key=${name} ...${f} value=${values[name]} onInput=${(v) => set((o) => ({ ...o, [name]: v }))} />`)}
    ${typeof children === "function" && children(values)}
    ${work.error && html`<${Notice} kind="bad">${work.error.message}<//>`}
    <div class="row end"><button type="button" class="second" onClick=${onClose}>${W.cancel}</button>
      <button disabled=${work.busy}>${action}</button></div>
  </form><//>`;
}

// Heading begins a page: its title has the focus when the page is opened, so that readers of screens hear it.
export function Heading({ title, trail, children }) {
  const head = useRef();
  useEffect(() => {
    document.title = title + " · Cairn";
    if (document.activeElement === document.body || document.activeElement?.closest?.("nav, main")) head.current?.focus();
  }, [title]);
  return html`<div class="heading">
    ${trail && html`<nav class="trail" aria-label=${W.trail}>${trail.map(([text, href]) => html`<a href=${href}>${text}</a><span aria-hidden="true">/</span>`)}</nav>`}
    <h1 tabindex="-1" ref=${head}>${title}</h1><div class="row">${children}</div></div>`;
}

// Copy puts a text where it can be taken from, with a button.
export function Copy({ label, text }) {
  const [told, tell] = useState("");
  const box = useRef();
  const copy = async () => {
    box.current.select();
    try { await navigator.clipboard.writeText(text); } catch { document.execCommand("copy"); }
    tell(W.copied);
  };
  return html`<div class="copy"><${Field} label=${label} value=${text} readonly onInput=${() => {}} ref=${undefined} />
    <input class="hidden" ref=${box} value=${text} tabindex="-1" aria-hidden="true" readonly />
    <button type="button" class="second" onClick=${copy}>${W.copy}</button><span role="status">${told}</span></div>`;
}

// Tabs choose one of several views; each is [id, words].
export const Tabs = ({ list, now, href, label }) => html`<nav class="tabs" aria-label=${label}>${list.map(([id, text]) =>
  html`<a href=${href(id)} aria-current=${id === now ? "page" : undefined}>${text}</a>`)}</nav>`;
