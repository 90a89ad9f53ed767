// Who is signed in. A session is temporary credentials, kept in the memory of this page alone: a reload ends
// it. Ways to sign in are in `kinds`; each turns what a person typed into temporary credentials, so that
// another one (single sign-on) is one more entry and nothing else changes.
import { W } from "./words.js";
import { callerIdentity, sessionToken } from "./api.js";

let current = null; // { accessKey, secret, token, expires, who }
let listeners = [];
let timers = [];

// warnBefore is how long before its end a session says so.
const warnBefore = 5 * 60 * 1000;

export const session = () => current;

// onSession calls f with each new session, with null when one ends and why, and with a warning before that.
export function onSession(f) {
  listeners.push(f);
  return () => { listeners = listeners.filter((l) => l !== f); };
}

const tell = (event) => listeners.forEach((f) => f(event));

export const kinds = [{
  id: "keys",
  fields: [
    { name: "accessKey", label: W.signIn.accessKey, type: "text", autocomplete: "username" },
    { name: "secretKey", label: W.signIn.secretKey, type: "password", autocomplete: "current-password" },
  ],
  // signIn returns temporary credentials. The secret key is gone when it returns.
  signIn: async ({ accessKey, secretKey }) => sessionToken({ accessKey, secret: secretKey }),
}];

export async function signIn(kind, typed) {
  const credentials = await kind.signIn(typed);
  credentials.who = await callerIdentity(credentials);
  current = credentials;
  const left = credentials.expires - Date.now();
  timers = [
    setTimeout(() => tell({ warning: W.session.endsSoon }), Math.max(0, left - warnBefore)),
    setTimeout(() => signOut(W.session.expired), left),
  ];
  tell({ session: current });
}

export function signOut(why) {
  timers.forEach(clearTimeout);
  timers = [];
  current = null;
  tell({ session: null, why });
}
