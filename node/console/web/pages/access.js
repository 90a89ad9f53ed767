// Access: accounts, users, groups, roles, policies and keys of the caller's account, or of another one.
import { admin } from "../api.js";
import { html, link, useState, when } from "../lib.js";
import { MasterKeys } from "./masterkeys.js";
import { Faults, Simulate } from "./policy.js";
import { Ask, Confirm, Copy, Dialog, Field, Heading, Loaded, State, Table, Tabs, useLoad } from "../ui.js";
import { W } from "../words.js";

const A = W.access;
const words = (list) => (list || []).join(", ");
const enabled = { head: W.state, cell: (x) => html`<${State} word=${x.disabled ? "disabled" : "enabled"} />` };
const created = { head: W.created, cell: (x) => when(x.created) };
const name = { head: W.name, cell: (x) => x.name };

// lists say how each kind of entry is listed, added, disabled and removed.
const lists = {
  users: { method: "ListUsers", of: "users", columns: [name, { head: A.groups, cell: (u) => words(u.groups) }, { head: A.policies, cell: (u) => words(u.policies) }, enabled, created],
    add: { method: "AddUser", fields: [{ name: "name", label: W.name, required: true }] }, disable: "SetUserDisabled", remove: "RemoveUser", attach: "user" },
  groups: { method: "ListGroups", of: "groups", columns: [name, { head: A.users, cell: (g) => words(g.users) }, { head: A.policies, cell: (g) => words(g.policies) }, created],
    add: { method: "AddGroup", fields: [{ name: "name", label: W.name, required: true }] }, remove: "RemoveGroup", attach: "group", members: true },
  roles: { method: "ListRoles", of: "roles", columns: [name, { head: "ARN", cell: (r) => html`<code>${r.arn}</code>` }, { head: A.policies, cell: (r) => words(r.policies) }, created],
    add: { method: "AddRole", fields: [{ name: "name", label: W.name, required: true }, { name: "trust", label: A.trust, type: "area", required: true }] }, remove: "RemoveRole", attach: "role" },
  policies: { method: "ListPolicies", of: "policies", columns: [name, { head: A.document, cell: (p) => html`<details><summary>${A.show}</summary><pre>${p.document}</pre></details>` }, { head: A.builtin, cell: (p) => (p.builtin ? W.yes : "") }],
    add: { method: "AddPolicy", fields: [{ name: "name", label: W.name, required: true }, { name: "document", label: A.document, type: "area", required: true }, { name: "replace", label: A.replace, type: "checkbox" }] }, remove: "RemovePolicy", keep: (p) => p.builtin },
  keys: { method: "ListAccessKeys", of: "keys", columns: [{ head: A.key, cell: (k) => html`<code>${k.id}</code>` }, { head: A.user, cell: (k) => k.user || A.root }, { head: A.description, cell: (k) => k.description }, enabled, created],
    add: { method: "AddAccessKey", fields: [{ name: "user", label: A.user, help: A.userHelp }, { name: "description", label: A.description }] }, disable: "SetAccessKeyDisabled", remove: "RemoveAccessKey", id: "id" },
  accounts: { method: "ListAccounts", of: "accounts", columns: [name, { head: "Id", cell: (a) => html`<code>${a.id}</code>` }, { head: A.admin, cell: (a) => (a.admin ? W.yes : "") }, enabled, created],
    add: { method: "AddAccount", fields: [{ name: "name", label: W.name, required: true }] }, disable: "SetAccountDisabled", remove: "RemoveAccount", id: "account" },
};

// others are pages beside the lists.
const others = { masterKeys: (account) => html`<${MasterKeys} account=${account} />`, simulate: (account) => html`<p class="quiet">${W.policy.help}</p><${Simulate} account=${account} />` };

export function Access({ kind, params }) {
  const account = params.account || "";
  const kinds = html`<${Tabs} label=${A.kinds} now=${others[kind] || lists[kind] ? kind : "users"} list=${[...Object.keys(lists), ...Object.keys(others)].map((k) => [k, A[k]])} href=${(k) => link(["access", k], { account })} />`;
  if (others[kind]) return html`<${Heading} title=${W.nav.access} />${kinds}${others[kind](account)}`;
  return html`<${List} kind=${kind} params=${params} kinds=${kinds} />`;
}

function List({ kind, params, kinds }) {
  const now = lists[kind] ? kind : "users", l = lists[now], account = params.account || "";
  const all = useLoad(() => admin(l.method, now === "accounts" ? {} : { account }), [now, account]);
  const [box, open] = useState(null);
  const close = () => open(null);
  // ref names an entry in a request.
  const ref = (x) => (l.id === "id" ? { id: x.id } : l.id === "account" ? { account: x.id } : { account, name: x.name });
  const named = (x) => x.name || x.id;
  const act = async (method, request) => { const answer = await admin(method, request); await all.reload(); return answer; };
  const added = async (v) => {
    const answer = await act(l.add.method, now === "accounts" ? v : { ...v, account });
    const key = answer.secretKey ? answer : answer.key;
    if (key?.secretKey) setTimeout(() => open({ secret: key }));
  };
  const at = (extra) => link(["access", now], extra);
  return html`<${Heading} title=${W.nav.access}><button onClick=${() => open({ add: true })}>${A.add[now]}</button><//>
    ${kinds}
    ${now !== "accounts" && account && html`<p>${A.ofAccount(account)} <a href=${at()}>${A.own}</a></p>`}
    <${Loaded} of=${all}>${(d) => html`<${Table} caption=${A[now]} rows=${d[l.of] || []} rowKey=${named} columns=${[...l.columns,
      { head: html`<span class="hidden">${W.actions}</span>`, right: true, cell: (x) => html`
        ${now === "accounts" && html`<a class="button second" href=${link(["access", "users"], { account: x.id })}>${A.users}</a> `}
        ${l.attach && html`<button class="second" onClick=${() => open({ attach: x })}>${A.attach}<span class="hidden"> ${named(x)}</span></button> `}
        ${l.members && html`<button class="second" onClick=${() => open({ member: x })}>${A.member}<span class="hidden"> ${named(x)}</span></button> `}
        ${l.disable && html`<button class="second" onClick=${() => open({ disable: x })}>${x.disabled ? A.enable : A.disable}<span class="hidden"> ${named(x)}</span></button> `}
        ${!l.keep?.(x) && html`<button class="second danger" onClick=${() => open({ remove: x })}>${W.remove}<span class="hidden"> ${named(x)}</span></button>`}` }]} />`}<//>
    ${box?.add && html`<${Ask} title=${A.add[now]} action=${A.doAdd} fields=${l.add.fields} onClose=${close} onDo=${added}>${now === "policies" && ((v) => html`<${Faults} text=${v.document} />`)}<//>`}
    ${box?.secret && html`<${Dialog} title=${A.newKey} onClose=${close}><p>${A.secretOnce}</p><${Copy} label=${W.signIn.accessKey} text=${box.secret.id} /><${Copy} label=${W.signIn.secretKey} text=${box.secret.secretKey} /><//>`}
    ${box?.attach && html`<${Ask} title=${A.attachTo(named(box.attach))} action=${W.save} onClose=${close} fields=${[{ name: "name", label: A.policy, required: true }, { name: "attached", label: A.attached, type: "checkbox", value: true }]}
      onDo=${(v) => act("SetPolicyAttached", { account, name: v.name, [l.attach]: box.attach.name, attached: v.attached })} />`}
    ${box?.member && html`<${Ask} title=${A.memberOf(named(box.member))} action=${W.save} onClose=${close} fields=${[{ name: "user", label: A.user, required: true }, { name: "member", label: A.isMember, type: "checkbox", value: true }]}
      onDo=${(v) => act("SetGroupMember", { account, name: box.member.name, ...v })} />`}
    ${box?.disable && html`<${Confirm} title=${(box.disable.disabled ? A.enable : A.disable) + " " + named(box.disable)} action=${box.disable.disabled ? A.enable : A.disable} onClose=${close}
      onDo=${() => act(l.disable, { ...ref(box.disable), disabled: !box.disable.disabled })}><p>${A.disableText}</p><//>`}
    ${box?.remove && html`<${Confirm} title=${W.remove + " " + named(box.remove)} action=${W.remove} danger onClose=${close} onDo=${() => act(l.remove, ref(box.remove))}><p>${A.removeText}</p><//>`}`;
}
