// Charts of the last hour, by uPlot, with a table for whoever cannot see them.
import { html, useEffect, useRef } from "./lib.js";
import { W } from "./words.js";

const colour = (name) => getComputedStyle(document.documentElement).getPropertyValue(name).trim();

const hour = 3600;

// Chart draws series over times in seconds. Each series is { name, colour, values }; format makes a text of a value.
// The scale goes up to `floor` at least.
export function Chart({ title, times, series, format, floor = 1 }) {
  const box = useRef(), plot = useRef();
  const data = [times, ...series.map((s) => s.values)];
  const dark = document.documentElement.dataset.dark;
  useEffect(() => {
    const axis = { stroke: colour("--quiet"), grid: { stroke: colour("--line"), width: 1 }, ticks: { show: false }, font: "12px system-ui, sans-serif" };
    plot.current = new uPlot({
      width: Math.max(200, box.current.clientWidth), height: 150, legend: { show: false }, cursor: { y: false, points: { size: 6 } },
      scales: { x: { range: (_, first, last) => [last - hour, last] }, y: { range: (_, low, high) => [0, Math.max(high || 0, floor) * 1.1] } },
      axes: [{ ...axis, values: (_, at) => at.map((t) => new Date(t * 1000).toTimeString().slice(0, 5)), space: 60 },
        { ...axis, size: 72, values: (_, v) => v.map(format) }],
      series: [{}, ...series.map((s) => ({ label: s.name, stroke: colour(s.colour), width: 2, points: { show: false }, fill: series.length === 1 ? colour(s.colour) + "22" : undefined }))],
    }, data, box.current);
    const watch = new ResizeObserver(() => plot.current.setSize({ width: Math.max(200, box.current.clientWidth), height: 150 }));
    watch.observe(box.current);
    return () => { watch.disconnect(); plot.current.destroy(); };
  }, [dark, series.length]);
  useEffect(() => { plot.current?.setData(data); }, [times]);
  const last = (s) => (s.values.length ? format(s.values[s.values.length - 1] ?? 0) : format(0));
  const most = (s) => format(s.values.reduce((a, b) => Math.max(a, b || 0), 0));
  return html`<figure class="chart"><figcaption>${title}<span class="keys">${series.map((s) =>
    html`<span><i class="swatch ${s.colour.slice(2)}"></i>${s.name} <b>${last(s)}</b></span>`)}</span></figcaption>
    <div ref=${box} role="img" aria-label=${W.chart.label(title, series.map((s) => W.chart.series(s.name, last(s), most(s))).join("; "))}></div></figure>`;
}
