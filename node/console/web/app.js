// The frame of the page: sign in, the menu, and which page is open.
import { admin, setUp } from "./api.js";
import { html, link, readLink, render, useEffect, useState } from "./lib.js";
import { kinds, onSession, session, signIn, signOut } from "./session.js";
import { Field, Notice, useBusy } from "./ui.js";
import { W } from "./words.js";
import { Access } from "./pages/access.js";
import { Buckets } from "./pages/buckets.js";
import { Jobs } from "./pages/jobs.js";
import { Nodes } from "./pages/nodes.js";
import { ObjectPage } from "./pages/object.js";
import { Objects } from "./pages/objects.js";
import { Overview } from "./pages/overview.js";
import { Properties } from "./pages/properties.js";
import { Settings } from "./pages/settings.js";
import { Uploads } from "./pages/uploads.js";

// menu has the pages in order. A page with a probe is shown to whoever may make that call.
const menu = [
  ["overview", () => admin("ShowHealth")], ["nodes", () => admin("ListNodes")], ["buckets", null], ["uploads", () => admin("ListUploads", { max: 1 })],
  ["jobs", () => admin("ListJobs")], ["access", () => admin("ListUsers")], ["settings", () => admin("ListSettings")],
];

const themes = ["auto", "light", "dark"];
const systemDark = matchMedia("(prefers-color-scheme: dark)");

function paint(theme) {
  const dark = theme === "dark" || (theme === "auto" && systemDark.matches);
  document.documentElement.dataset.dark = dark ? "1" : "0";
}

function useTheme() {
  const [theme, set] = useState(() => { try { return themes.includes(localStorage.getItem("cairn.theme")) ? localStorage.getItem("cairn.theme") : "auto"; } catch { return "auto"; } });
  useEffect(() => {
    paint(theme);
    const again = () => paint(theme);
    systemDark.addEventListener("change", again);
    try { localStorage.setItem("cairn.theme", theme); } catch { /* It holds until the page is closed. */ }
    return () => systemDark.removeEventListener("change", again);
  }, [theme]);
  return [theme, set];
}

function SignIn({ why }) {
  const kind = kinds[0];
  const [typed, type] = useState({});
  const work = useBusy();
  const submit = async (e) => {
    e.preventDefault();
    const values = typed;
    if (await work.run(() => signIn(kind, values))) type({});
  };
  return html`<main class="sign-in"><img src="cairn.svg" alt="" width="56" height="56" /><h1>Cairn</h1>
    ${why && html`<${Notice}>${why}<//>`}
    <form onSubmit=${submit}>
      ${kind.fields.map((f) => html`<${Field} key=${f.name} label=${f.label} type=${f.type} autocomplete=${f.autocomplete} required autocapitalize="off" spellcheck=${false}
        value=${typed[f.name] || ""} onInput=${(v) => type((old) => ({ ...old, [f.name]: v }))} />`)}
      ${work.error && html`<${Notice} kind="bad">${W.signIn.failed(work.error)}<//>`}
      <button disabled=${work.busy}>${W.signIn.button}</button>
      <p class="quiet">${W.signIn.note}</p>
    </form></main>`;
}

function Page({ at, params }) {
  const [page, bucket, part, key] = at;
  switch (page) {
    case "overview": return html`<${Overview} />`;
    case "nodes": return html`<${Nodes} node=${bucket} part=${part} />`;
    case "buckets":
      if (!bucket) return html`<${Buckets} />`;
      if (part === "object" && key !== undefined) return html`<${ObjectPage} key=${bucket + "/" + key} bucket=${bucket} key_=${key} params=${params} />`;
      if (part === "properties") return html`<${Properties} key=${bucket} bucket=${bucket} open=${key} />`;
      return html`<${Objects} key=${bucket} bucket=${bucket} params=${params} />`;
    case "uploads": return html`<${Uploads} />`;
    case "jobs": return html`<${Jobs} />`;
    case "access": return html`<${Access} kind=${bucket} params=${params} />`;
    case "settings": return html`<${Settings} part=${bucket} />`;
  }
  return html`<${Notice} kind="bad">${W.noPage}<//>`;
}

function App() {
  const [who, setWho] = useState(session());
  const [why, setWhy] = useState("");
  const [warning, warn] = useState("");
  const [allowed, allow] = useState(null); // The pages that may be opened; null: not known yet.
  const [at, setAt] = useState(readLink(location.hash));
  const [unfolded, unfold] = useState(false);
  const [theme, setTheme] = useTheme();

  useEffect(() => onSession((e) => {
    if (e.warning) return warn(e.warning);
    warn("");
    allow(null);
    setWho(e.session);
    setWhy(e.why || "");
    return undefined;
  }), []);
  useEffect(() => {
    const moved = () => { setAt(readLink(location.hash)); unfold(false); };
    addEventListener("hashchange", moved);
    return () => removeEventListener("hashchange", moved);
  }, []);
  useEffect(() => {
    if (!who) return;
    Promise.all(menu.map(async ([id, probe]) => {
      if (!probe) return id;
      try { await probe(); return id; } catch (e) { return e.denied ? "" : id; } // A page that fails otherwise says so itself.
    })).then((ids) => allow(ids.filter(Boolean)));
  }, [who]);

  if (!who) return html`<${SignIn} why=${why} />`;
  if (!allowed) return html`<main><p class="quiet" role="status">${W.loading}</p></main>`;
  const page = at.segments[0] && allowed.includes(at.segments[0]) ? at.segments : [allowed[0]];
  return html`
    <a class="skip" href="#main" onClick=${(e) => { e.preventDefault(); document.querySelector("main h1")?.focus(); }}>${W.skip}</a>
    <header class="top"><a class="brand" href=${link([allowed[0]])}><img src="cairn.svg" alt="" width="24" height="24" /> Cairn</a>
      <button class="plain fold" aria-expanded=${unfolded} aria-controls="menu" onClick=${() => unfold(!unfolded)}>${W.menu}</button>
      <nav id="menu" aria-label=${W.menu} class=${unfolded ? "open" : ""}>${menu.filter(([id]) => allowed.includes(id)).map(([id]) =>
        html`<a href=${link([id])} aria-current=${page[0] === id ? "page" : undefined}>${W.nav[id]}</a>`)}</nav>
      <div class="who"><button class="plain" title=${W.theme.title} onClick=${() => setTheme(themes[(themes.indexOf(theme) + 1) % themes.length])}>${W.theme[theme]}</button>
        <span class="name" title=${who.who.arn}>${who.who.name}</span>
        <button class="second" onClick=${() => signOut("")}>${W.signOut}</button></div></header>
    ${warning && html`<${Notice} kind="warn" onClose=${() => warn("")}>${warning}<//>`}
    <main id="main"><${Page} at=${page} params=${at.params} /></main>`;
}

const root = document.getElementById("app");
setUp().then(() => render(html`<${App} />`, root), (e) => render(html`<main><${Notice} kind="bad">${e.message}<//></main>`, root));
