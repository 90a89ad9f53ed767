// What all modules use: Preact with htm, formats of numbers and times, and the address of a page.
import { html, render, useState, useEffect, useRef, useMemo, useCallback } from "./vendor/htm-preact.js";

export { html, render, useState, useEffect, useRef, useMemo, useCallback };

// num reads a number of the admin API, whose 64-bit numbers are strings and whose zeros are absent.
export const num = (x) => Number(x || 0);

const units = ["B", "KiB", "MiB", "GiB", "TiB", "PiB", "EiB"];

// bytes formats a size as the commands of cairn do.
export function bytes(x) {
  let n = num(x), i = 0;
  while (n >= 1024 && i < units.length - 1) { n /= 1024; i++; }
  return (i === 0 || n >= 100 ? Math.round(n) : n.toFixed(n >= 10 ? 1 : 2).replace(/\.?0+$/, "")) + " " + units[i];
}

// count formats a whole number.
export const count = (x) => num(x).toLocaleString("en");

// duration formats seconds, with the two largest units.
export function duration(seconds) {
  let s = Math.max(0, Math.round(num(seconds)));
  const parts = [];
  for (const [name, size] of [["d", 86400], ["h", 3600], ["min", 60], ["s", 1]]) {
    const n = Math.floor(s / size);
    s -= n * size;
    if (n || (name === "s" && !parts.length)) parts.push(n + " " + name);
  }
  return parts.slice(0, 2).join(" ");
}

// when formats a time of the API in the time zone of the browser.
export function when(text) {
  const t = new Date(text);
  return !text || isNaN(t) ? "" : t.toLocaleString("en-GB", { dateStyle: "medium", timeStyle: "medium" });
}

// brief shortens an id of 16 digits as far as people read it.
export const brief = (id) => (id || "").slice(0, 8);

// percent is a share in whole percent.
export const percent = (part, all) => (num(all) ? Math.round((num(part) / num(all)) * 100) : 0);

// link makes the address of a page: segments of a path, and parameters.
export function link(segments, params) {
  const path = "#/" + segments.map(encodeURIComponent).join("/");
  const query = new URLSearchParams(Object.entries(params || {}).filter(([, v]) => v)).toString();
  return query ? path + "?" + query : path;
}

// readLink is the inverse of link.
export function readLink(hash) {
  const [path, query] = hash.replace(/^#\/?/, "").split("?");
  const segments = path.split("/").filter((s) => s !== "").map((s) => { try { return decodeURIComponent(s); } catch { return s; } });
  return { segments, params: Object.fromEntries(new URLSearchParams(query || "")) };
}

// go opens a page.
export const go = (segments, params) => { location.hash = link(segments, params); };
