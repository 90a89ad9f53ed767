// Policies: what is wrong with one while it is typed, and who may do what, as the cluster decides it.
import { admin } from "../api.js";
import { html, useState } from "../lib.js";
import { Field, Loaded, Notice, State, Table, useBusy } from "../ui.js";
import { W } from "../words.js";

const P = W.policy;
const known = ["Sid", "Effect", "Principal", "NotPrincipal", "Action", "NotAction", "Resource", "NotResource", "Condition"];
const list = (x) => (x === undefined ? [] : Array.isArray(x) ? x : [x]);

// faults are what is wrong with a policy, as far as it can be told without the cluster, which decides when it is
// saved. bucket: whose policy it is; undefined: that of a user, a group or a role.
export function faults(text, bucket) {
  let doc;
  try { doc = JSON.parse(text); } catch (e) { return [P.noJSON(e.message)]; }
  if (typeof doc !== "object" || doc === null || Array.isArray(doc)) return [P.noObject];
  const out = [];
  for (const k of Object.keys(doc)) if (!["Version", "Id", "Statement"].includes(k)) out.push(P.unknown(k));
  const all = list(doc.Statement);
  if (!all.length) out.push(P.noStatement);
  all.forEach((s, i) => {
    const wrong = (what) => out.push(P.inStatement(i + 1, what));
    if (typeof s !== "object" || s === null) return wrong(P.noObject);
    for (const k of Object.keys(s)) if (!known.includes(k)) wrong(P.unknown(k));
    if (!["Allow", "Deny"].includes(s.Effect)) wrong(P.effect);
    if ((s.Action === undefined) === (s.NotAction === undefined)) wrong(P.one("Action", "NotAction"));
    for (const a of list(s.Action ?? s.NotAction)) if (typeof a !== "string" || !/^(\*|[a-z0-9]+:.+)$/i.test(a)) wrong(P.action(String(a)));
    if ((s.Resource === undefined) === (s.NotResource === undefined)) wrong(P.one("Resource", "NotResource"));
    if (bucket !== undefined) {
      if ((s.Principal === undefined) === (s.NotPrincipal === undefined)) wrong(P.one("Principal", "NotPrincipal"));
      const own = "arn:aws:s3:::" + bucket;
      for (const r of list(s.Resource)) if (r !== "*" && typeof r === "string" && r.startsWith("arn:") && !/[*?$]/.test(r) && r !== own && !r.startsWith(own + "/")) wrong(P.elsewhere(r));
    } else if (s.Principal !== undefined || s.NotPrincipal !== undefined) wrong(P.principal);
    return undefined;
  });
  return out;
}

// Faults shows them beside the text.
export const Faults = ({ text, bucket }) => {
  if (!text) return null;
  const all = faults(text, bucket);
  return all.length ? html`<${Notice} kind="warn"><ul class="plain">${all.slice(0, 20).map((f) => html`<li>${f}</li>`)}</ul><//>` : html`<p class="quiet" role="status">${P.sound}</p>`;
};

// Simulate asks what somebody may do, and what decides.
export function Simulate({ account = "", resource = "" }) {
  const [v, set] = useState({ as: "", action: "s3:GetObject", resource });
  const [answer, tell] = useState(null);
  const work = useBusy();
  const field = (name) => (x) => set((old) => ({ ...old, [name]: x }));
  const ask = (e) => { e.preventDefault(); tell(null); work.run(async () => tell(await admin("SimulatePolicy", { account, ...v }))); };
  return html`<form class="row asks" onSubmit=${ask}>
      <${Field} label=${P.as} help=${P.asHelp} value=${v.as} onInput=${field("as")} autocapitalize="off" spellcheck=${false} />
      <${Field} label=${P.what} value=${v.action} onInput=${field("action")} required spellcheck=${false} />
      <${Field} label=${P.resource} help=${P.resourceHelp} value=${v.resource} onInput=${field("resource")} spellcheck=${false} />
      <button disabled=${work.busy}>${P.ask}</button></form>
    ${work.error && html`<${Notice} kind="bad">${work.error.message}<//>`}
    ${answer && html`<div role="status"><p><${State} word=${answer.allowed ? P.allowed : P.denied} kind=${answer.allowed ? "good" : "bad"} /> ${answer.reason}</p>
      <p class="quiet">${answer.as} · ${answer.action} · ${answer.resource}</p>${answer.note && html`<p>${answer.note}</p>`}
      ${answer.missingContext?.length > 0 && html`<p>${P.missing(answer.missingContext.join(", "))}</p>`}</div>
      ${answer.considered?.length > 0 && html`<${Table} caption=${P.considered} rows=${answer.considered} columns=${[
        { head: P.says, cell: (s) => s.effect }, { head: P.kind, cell: (s) => s.kind }, { head: P.policy, cell: (s) => s.policy }, { head: P.holder, cell: (s) => s.holder },
        { head: P.statement, cell: (s) => (s.statement ? "#" + s.statement : "") + (s.sid ? " " + s.sid : "") }, { head: P.counts, cell: (s) => s.overruled || W.yes },
      ]} />`}`}`;
}

const asked = ["s3:ListBucket", "s3:GetObject", "s3:PutObject", "s3:DeleteObject", "s3:PutBucketPolicy"];
const most = 30;   // Users who are asked about.
const atOnce = 4;

// Who is a table of who could do what with a bucket.
export function Who({ bucket }) {
  const [rows, set] = useState(null);
  const work = useBusy();
  const look = () => work.run(async () => {
    const users = (await admin("ListUsers", {}).catch((e) => { if (e.denied) return {}; throw e; })).users || [];
    const who = [["anonymous", P.everybody], ...users.slice(0, most).map((u) => ["user:" + u.name, u.name])];
    const tasks = who.flatMap(([as], i) => asked.map((action, j) => [as, action, i, j])), out = who.map(([, name]) => ({ name, may: [] }));
    const turn = async () => {
      for (let t; (t = tasks.shift());) {
        const [as, action, i, j] = t;
        const resource = "s3://" + bucket + (/Bucket/.test(action) ? "" : "/KEY");
        const a = await admin("SimulatePolicy", { as, action, resource }).catch((e) => ({ reason: e.message }));
        out[i].may[j] = a;
      }
    };
    await Promise.all(Array.from({ length: atOnce }, turn));
    set({ list: out, more: users.length - most });
  });
  return html`<section><h2>${P.who}</h2><p class="quiet">${P.whoHelp}</p><button class="second" disabled=${work.busy} onClick=${look}>${P.look}</button>
    ${work.error && html`<${Notice} kind="bad">${work.error.message}<//>`}
    ${rows && html`<${Table} caption=${P.who} rows=${rows.list} rowKey=${(r) => r.name} columns=${[{ head: W.access.user, cell: (r) => r.name },
      ...asked.map((a, j) => ({ head: a.slice(3), cell: (r) => html`<span title=${r.may[j].reason}><${State} word=${r.may[j].allowed ? P.allowed : P.denied} kind=${r.may[j].allowed ? "good" : "info"} /></span>` }))]} />
      ${rows.more > 0 && html`<p class="quiet">${W.more(rows.more)}</p>`}`}
    <h3>${P.question}</h3><${Simulate} resource=${"s3://" + bucket + "/KEY"} /></section>`;
}
