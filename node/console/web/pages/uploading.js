// Uploads of this page, with how far they are.
import { bytes, duration, html, link, num, useEffect, useState } from "../lib.js";
import { Notice, Progress } from "../ui.js";
import * as upload from "../upload.js";
import { W } from "../words.js";

export function UploadList({ bucket }) {
  const [tasks, set] = useState(upload.uploads());
  useEffect(() => { upload.onUploads(set); set([...upload.uploads()]); return () => upload.onUploads(() => {}); }, []);
  const mine = tasks.filter((t) => !bucket || t.bucket === bucket);
  if (!mine.length) return null;
  const over = mine.filter((t) => t.state === "done").length, failed = mine.filter((t) => t.state === "failed").length;
  const shown = [...mine].sort((a, b) => (a.state === "done") - (b.state === "done")).slice(0, 20);
  return html`<section class="uploads" aria-label=${W.uploads.here}>
    <div class="row"><strong role="status" aria-live="polite">${W.uploads.sofar(over, mine.length, failed)}</strong>
      ${mine.some((t) => t.state !== "running" && t.state !== "waiting") && html`<button class="second" onClick=${upload.forget}>${W.uploads.forget}</button>`}</div>
    <ul>${shown.map((t) => {
      const sent = upload.sentOf(t), rate = upload.rateOf(t);
      return html`<li key=${t.id}><a href=${link(["buckets", t.bucket, "object", t.key])}>${t.key}</a>
        <${Progress} done=${t.state === "done" ? 1 : sent} total=${t.state === "done" ? 1 : t.size || 1} label=${W.uploads.progressOf(t.key)} />
        <span class="quiet">${t.state === "done" ? W.uploads.done(bytes(t.size)) : t.state === "failed" ? "" : t.state === "stopped" ? W.uploads.stopped
          : W.uploads.at(bytes(sent), bytes(t.size), bytes(rate) + "/s", rate ? duration((t.size - sent) / rate) : "")}</span>
        ${t.state === "failed" && html`<span class="bad" role="alert">${t.error.message}</span> <button class="second" onClick=${() => upload.again(t)}>${W.uploads.again}</button>`}
        ${["running", "failed"].includes(t.state) && html`<button class="second" onClick=${() => upload.stop(t)}>${W.uploads.stop}<span class="hidden"> ${t.key}</span></button>`}</li>`;
    })}</ul>${mine.length > shown.length && html`<p class="quiet">${W.more(mine.length - shown.length)}</p>`}</section>`;
}
