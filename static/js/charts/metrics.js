// @ts-check
// The charts of the metrics tab: thinned curves of the visible range, live updates, and a shared zoom.
import uPlot from "../../vendor/uplot/uPlot.esm.js";
import { csvOf, lastNotAbove, nearest, smooth, withoutOutliers } from "./curves.js";
import { refresh } from "../live/live.js";
import { lossText } from "../live/texts.js";
import { axisStyle, clockText, css, dayText, ends, logAxis, logRange, onPageChange, points, stepAxis, timeAxis } from "./plot.js";

const HEIGHT = 230;
const MOST_POINTS = 2700; // of a curve that grows live, before a thinned curve is fetched again
const MARK_LETTERS = { sample: "s", backup: "B", save: "M", model: "M", resume: "R" };
const DEFAULTS = { smoothing: 0.6, across: "steps", log: false, clip: false, marks: true, old: false };
const charts = new Map();
const settings = { ...DEFAULTS, ...remembered() };
/** @type {number[] | null} */
let view = null; // the first and the last shown step; null for the whole run, as it grows
/** @type {any} */
let page = null;

function remembered() {
  try {
    return JSON.parse(localStorage.getItem("metric-settings") ?? "{}");
  } catch {
    return {}; // written by another version
  }
}

const colour = (number) => css(`--chart-${(number % 6) + 1}`);
// Position of the cursor in pixels; below zero while it is outside.
/** @param {uPlot} plot */
const leftOf = (plot) => plot.cursor.left ?? -1;
const paths = (tag) => tag.replaceAll("_", " ");

// The page has prefetched this address without parameters.
async function fetchCurves(address, old = false) {
  const query = new URLSearchParams();
  if (view) query.set("from", String(Math.max(0, Math.floor(view[0]))));
  if (view) query.set("to", String(Math.ceil(view[1])));
  if (old) query.set("old", "true");
  const answer = await fetch(query.size ? `${address}&${query}` : address);
  if (!answer.ok) throw new Error(`${answer.status}`);
  return (await answer.json()).series;
}

class MetricChart {
  constructor(element) {
    this.element = element;
    this.canvas = element.querySelector(".metric-plot");
    this.lines = [];
    this.old = [];
    this.canvas.addEventListener("keydown", (event) => this.key(event));
  }

  get tags() {
    return JSON.parse(this.element.dataset.tags);
  }

  async load() {
    const asked = (this.asked = {});
    const wantsOld = settings.old && Number(page.dataset.attempt) > 1;
    try {
      const { curves } = this.element.dataset;
      const [series, old] = await Promise.all([fetchCurves(curves), wantsOld ? fetchCurves(curves, true) : {}]);
      if (asked !== this.asked) return; // another range was requested since
      this.lines = this.tags.filter((tag) => series[tag]).map((tag) => ({ tag, ...series[tag] }));
      this.old = Object.entries(old).map(([tag, curve]) => ({ tag, ...curve }));
      this.draw();
    } catch {
      this.element.dataset.state = "stale";
    }
  }

  // `values` has an array for each tag, parallel to `steps`.
  append(steps, values, times) {
    let grew = false;
    for (const line of this.lines) {
      steps.forEach((step, index) => {
        const value = values[line.tag]?.[index];
        if (value == null || step <= (line.steps.at(-1) ?? -1)) return;
        for (const curve of [line, line.means].filter(Boolean)) {
          curve.steps.push(step);
          curve.values.push(value);
          curve.times.push(times[index]);
        }
        grew = true;
      });
    }
    if (!grew) return;
    if (this.lines.some((line) => line.steps.length > MOST_POINTS)) this.load();
    else this.soon();
  }

  // Several changes share one redraw.
  soon() {
    this.frame ??= requestAnimationFrame(() => {
      this.frame = null;
      this.show();
    });
  }

  xs(curve) {
    if (settings.across === "times") return curve.times;
    const each = Number(page.dataset.epochSteps) || 1;
    return settings.across === "epochs" ? curve.steps.map((step) => step / each) : curve.steps;
  }

  // The series for uPlot: old values, each metric's values, and each metric's smooth line.
  series() {
    /** @type {{ curve: any, colour: string, width: number, alpha?: number, dash?: number[] }[]} */
    const found = this.old.map((curve) => ({ curve, colour: css("--chart-old"), width: 1, dash: [3, 3] }));
    this.lines.forEach((line, number) => {
      const isSmooth = settings.smoothing > 0 && this.element.dataset.key !== "rates";
      found.push({ curve: line, colour: colour(number), width: isSmooth ? 1 : 1.75, alpha: isSmooth ? 0.3 : 1 });
      if (isSmooth) {
        const means = line.means ?? line;
        found.push({ curve: { ...means, values: smooth(means.values, settings.smoothing) }, colour: colour(number), width: 2 });
      }
    });
    return found;
  }

  /** @returns {uPlot.AlignedData} */
  data(series) {
    const log = settings.log && this.element.dataset.key === "loss";
    /** @type {any} */
    const tables = series.map(({ curve }) => [
      this.xs(curve),
      log ? curve.values.map((value) => (value > 0 ? value : null)) : curve.values,
    ]);
    return tables.length ? uPlot.join(tables) : /** @type {any} */ ([[]]);
  }

  show() {
    const series = this.series();
    if (!this.plot || this.plot.series.length !== series.length + 1) this.draw();
    else this.plot.setData(this.data(series));
    this.tell(this.here ?? null);
  }

  draw() {
    delete this.element.dataset.state;
    this.plot?.destroy();
    const series = this.series();
    this.canvas.replaceChildren();
    this.plot = series.length ? new uPlot(this.options(series), this.data(series), this.canvas) : null;
    this.tell(this.here ?? null);
  }

  /** @returns {uPlot.Options} */
  options(series) {
    const log = settings.log && this.element.dataset.key === "loss";
    const font = { font: "12px sans-serif" };
    const across = { steps: stepAxis, epochs: axisStyle, times: timeAxis }[settings.across];
    const values = log ? logAxis(axisText) : { ...axisStyle(), values: (_, ticks) => ticks.map(axisText) };
    const fits = () => (settings.clip && !log ? withoutOutliers(this.lines.flatMap((line) => line.values)) : null);
    return {
      width: this.canvas.clientWidth,
      height: HEIGHT,
      padding: [14, 8, 0, 0],
      legend: { show: false },
      scales: {
        x: { time: settings.across === "times", range: (plot, low, high) => this.range(...ends(plot, low, high)) },
        y: { distr: log ? 3 : 1, range: log ? logRange : (_, low, high) => fits() ?? padded(low, high) },
      },
      axes: [
        { ...across(), ...font, space: 70, size: settings.across === "times" ? 40 : 26, gap: 2 },
        { ...values, ...font, size: 58 },
      ],
      series: [
        {},
        ...series.map(({ colour: stroke, width, alpha, dash }) => ({ stroke, width, alpha, dash, spanGaps: true, points })),
      ],
      cursor: {
        sync: { key: "metrics", setSeries: false },
        drag: { x: true, y: false, setScale: false },
        points: { show: false },
        bind: { dblclick: () => () => (look(null), null) },
      },
      hooks: {
        setCursor: [(plot) => this.tell(leftOf(plot) >= 0 ? plot.posToVal(leftOf(plot), "x") : null)],
        setSelect: [(plot) => this.select(plot)],
        draw: [(plot) => this.drawMarks(plot)],
      },
    };
  }

  /** @returns {uPlot.Range.MinMax} */
  range(low, high) {
    if (view && settings.across === "steps") return [view[0], view[1]];
    const each = Number(page.dataset.epochSteps) || 1;
    if (view && settings.across === "epochs") return [view[0] / each, view[1] / each];
    return [low, high];
  }

  // Convert a position on the x axis to a step.
  stepAt(x) {
    if (settings.across === "epochs") return x * (Number(page.dataset.epochSteps) || 1);
    if (settings.across === "steps" || !this.lines.length) return x;
    return this.lines[0].steps[Math.max(0, nearest(this.lines[0].times, x))];
  }

  select(plot) {
    const { left, width } = plot.select;
    if (width < 4) return;
    const ends = [left, left + width].map((place) => this.stepAt(plot.posToVal(place, "x")));
    plot.setSelect({ left: 0, width: 0, top: 0, height: 0 }, false);
    look(ends);
  }

  // Show the values at the cursor in the table.
  tell(x) {
    this.here = x;
    for (const [number, line] of this.lines.entries()) {
      const row = this.element.querySelector(`[data-tag="${CSS.escape(line.tag)}"]`);
      if (!row) continue;
      row.querySelector(".metric-swatch").dataset.colour = (number % 6) + 1;
      const last = line.values.at(-1);
      if (last != null && !view) row.querySelector("[data-last]").textContent = lossText(last);
      const at = x === null ? -1 : nearest(this.xs(line), x);
      row.querySelector("[data-here]").textContent = at < 0 ? "" : lossText(line.values[at]);
    }
    const where = this.element.querySelector(".metric-where");
    if (where) where.textContent = x === null || !this.lines.length ? "" : this.placeText(x);
  }

  // Move the cursor of all charts, as the mouse does.
  point(x) {
    if (!this.plot) return;
    /** @type {any} */
    const plot = this.plot; // its types lack the last argument: if the other charts follow
    plot.setCursor({ left: plot.valToPos(x, "x"), top: plot.over.clientHeight / 2 }, false, false);
    this.tell(x);
  }

  placeText(x) {
    const line = this.lines[0];
    const at = nearest(this.xs(line), x);
    if (at < 0) return "";
    const [time, last] = [line.times[at], line.times.at(-1)].map((seconds) => new Date(seconds * 1000));
    const day = dayText(time) === dayText(last) ? "" : `${dayText(time)} `;
    return `${interpolate(gettext("step %s"), [line.steps[at]])} · ${day}${clockText(time)}`;
  }

  // Marks at the steps of samples, files and continuations.
  drawMarks(plot) {
    if (!settings.marks) return;
    const { ctx, bbox } = plot;
    const ratio = devicePixelRatio;
    ctx.save();
    ctx.font = `${10 * ratio}px sans-serif`;
    ctx.textAlign = "center";
    ctx.lineWidth = ratio;
    const letters = new Map(); // of marks at the same step, side by side
    for (const mark of marks()) {
      const x = this.markPlace(mark);
      if (x === null || x < plot.scales.x.min || x > plot.scales.x.max) continue;
      const place = Math.round(plot.valToPos(x, "x", true));
      ctx.strokeStyle = ctx.fillStyle = css(mark.kind === "sample" ? "--chart-mark" : "--wait");
      ctx.globalAlpha = mark.kind === "sample" ? 0.45 : 0.9;
      ctx.setLineDash(mark.kind === "sample" ? [] : [4 * ratio, 3 * ratio]);
      ctx.beginPath();
      ctx.moveTo(place, mark.kind === "sample" ? bbox.top + bbox.height - 6 * ratio : bbox.top);
      ctx.lineTo(place, bbox.top + bbox.height);
      ctx.stroke();
      if (mark.kind !== "sample") letters.set(place, new Set([...(letters.get(place) ?? []), MARK_LETTERS[mark.kind]]));
    }
    letters.forEach((found, place) => ctx.fillText([...found].join(""), place, bbox.top - 3 * ratio));
    ctx.restore();
  }

  markPlace({ step, time }) {
    const line = this.lines[0];
    if (!line?.steps.length) return null;
    if (view && (step === undefined ? time < line.times[0] || time > line.times.at(-1) : step < view[0] || step > view[1])) return null;
    if (step === undefined) {
      const at = Math.min(line.steps.length - 1, lastNotAbove(line.times, time) + 1);
      return this.xs(line)[at];
    }
    if (settings.across === "times") return line.times[Math.max(0, nearest(line.steps, step))];
    return settings.across === "epochs" ? step / (Number(page.dataset.epochSteps) || 1) : step;
  }

  // Arrows move the cursor, plus and minus zoom around it, 0 resets the zoom.
  key(event) {
    if (!this.plot || event.ctrlKey || event.metaKey || event.altKey) return;
    const { plot } = this;
    const width = plot.over.clientWidth;
    const moves = { ArrowLeft: -1, ArrowRight: 1, Home: -1e6, End: 1e6 };
    if (event.key in moves) {
      const left = Math.min(width, Math.max(0, (leftOf(plot) < 0 ? width : leftOf(plot)) + moves[event.key] * Math.max(1, width / 100)));
      const x = plot.posToVal(left, "x");
      charts.forEach((chart) => chart.point(x));
    } else if (event.key === "+" || event.key === "=") zoom(0.5, leftOf(plot) >= 0 ? this.stepAt(plot.posToVal(leftOf(plot), "x")) : null);
    else if (event.key === "-") zoom(2);
    else if (event.key === "0") look(null);
    else return;
    event.preventDefault();
  }

  seen() {
    const inView = (step) => !view || (step >= view[0] && step <= view[1]);
    return this.lines.map(({ tag, steps, values, times }) => {
      const chosen = steps.map((step, at) => at).filter((at) => inView(steps[at]));
      return { tag, steps: chosen.map((at) => steps[at]), values: chosen.map((at) => values[at]), times: chosen.map((at) => times[at]) };
    });
  }

  save(kind) {
    const name = `${page.dataset.runName} ${this.element.dataset.key}`.replace(/[^\p{L}\p{N} ._-]+/gu, "_");
    if (kind === "csv") download(new Blob([csvOf(this.seen())], { type: "text/csv" }), `${name}.csv`);
    else if (this.plot) this.picture().toBlob((blob) => download(blob, `${name}.png`));
  }

  // The visible chart on the page's background, with its title and the names of its metrics.
  picture() {
    const drawn = /** @type {uPlot} */ (this.plot).ctx.canvas;
    const ratio = devicePixelRatio;
    const canvas = Object.assign(document.createElement("canvas"), { width: drawn.width, height: drawn.height + 44 * ratio });
    const ctx = /** @type {CanvasRenderingContext2D} */ (canvas.getContext("2d"));
    const { backgroundColor, color } = getComputedStyle(this.element);
    ctx.fillStyle = backgroundColor;
    ctx.fillRect(0, 0, canvas.width, canvas.height);
    ctx.drawImage(drawn, 0, 44 * ratio);
    ctx.font = `600 ${14 * ratio}px sans-serif`;
    ctx.fillStyle = color;
    ctx.fillText(`${page.dataset.runName}: ${this.element.querySelector("h2").textContent}`, 10 * ratio, 18 * ratio);
    ctx.font = `${12 * ratio}px sans-serif`;
    let left = 10 * ratio;
    this.lines.forEach((line, number) => {
      ctx.fillStyle = colour(number);
      ctx.fillText(paths(line.tag), left, 36 * ratio);
      left += ctx.measureText(paths(line.tag)).width + 14 * ratio;
    });
    return canvas;
  }
}

function axisText(tick) {
  if (tick == null) return "";
  return tick !== 0 && Math.abs(tick) < 1e-3 ? tick.toExponential().replace("e-", "e−") : lossText(tick);
}

/** @returns {uPlot.Range.MinMax} */
function padded(low, high) {
  const air = (high - low || Math.abs(high) || 1) * 0.06;
  return [low - air, high + air];
}

function download(blob, name) {
  const link = Object.assign(document.createElement("a"), { href: URL.createObjectURL(blob), download: name });
  link.click();
  setTimeout(() => URL.revokeObjectURL(link.href), 10_000);
}

const marks = () => JSON.parse(page.dataset.marks);

function wholeRange() {
  const steps = [...charts.values()].flatMap((chart) => chart.lines).map((line) => [line.steps[0], line.steps.at(-1)]);
  return [Math.min(...steps.map(([first]) => first)), Math.max(...steps.map(([, last]) => last))];
}

// Show these steps in all charts; null for the whole run.
function look(range) {
  view = range && [Math.max(0, range[0]), Math.max(range[0] + 1, range[1])];
  for (const button of document.querySelectorAll("[data-zoom=all]")) button.disabled = !view;
  charts.forEach((chart) => {
    if (chart.plot && chart.lines.length) chart.draw(); // the known part of the range at once, and all of it after the fetch
    chart.load();
  });
}

function zoom(factor, around = null) {
  const [first, last] = view ?? wholeRange();
  const middle = around ?? (first + last) / 2;
  const half = ((last - first) * factor) / 2;
  const [least, most] = view ? [0, Infinity] : wholeRange();
  const range = [Math.max(least, middle - half), Math.min(most, middle + half)];
  if (range[1] - range[0] >= 2) look(range);
}

function change(changes) {
  const before = settings.old;
  Object.assign(settings, changes);
  localStorage.setItem("metric-settings", JSON.stringify(settings));
  charts.forEach((chart) => (before === settings.old ? chart.draw() : chart.load()));
}

function startSettings(form) {
  if (!form || form.dataset.started) return;
  form.dataset.started = "yes";
  for (const input of form.elements) {
    const { name, type } = input;
    if (!(name in settings)) continue;
    if (type === "checkbox") input.checked = settings[name];
    else input.value = settings[name];
    input.addEventListener(type === "range" ? "input" : "change", () => {
      change({ [name]: type === "checkbox" ? input.checked : type === "range" ? Number(input.value) : input.value });
      if (type === "range") form.querySelector("output").value = Number(input.value).toFixed(2);
    });
  }
  form.querySelector("output").value = settings.smoothing.toFixed(2);
  form.addEventListener("submit", (event) => event.preventDefault());
  const zooms = { in: () => zoom(0.5), out: () => zoom(2), all: () => look(null) };
  form.addEventListener("click", (event) => zooms[event.target.closest("[data-zoom]")?.dataset.zoom]?.());
}

// Make a chart of each element without a chart; the first is drawn before the others are fetched.
export async function startMetrics() {
  page = document.querySelector("[data-metric-charts]");
  for (const [element] of charts) if (!element.isConnected) charts.delete(element);
  if (!page) return;
  startSettings(document.getElementById("metric-settings"));
  for (const element of page.querySelectorAll(".metric-chart")) {
    if (charts.has(element)) {
      charts.get(element).soon();
      continue;
    }
    const chart = new MetricChart(element);
    charts.set(element, chart);
    element.addEventListener("click", (event) => {
      const kind = event.target.closest("[data-save]")?.dataset.save;
      if (kind) chart.save(kind);
    });
    await chart.load();
  }
}

let lastRefresh = 0;

// New values of the run; for a metric without a chart the server renders one.
export function appendMetrics(steps, values, times) {
  if (!document.querySelector("[data-metrics-tab]")) return;
  const known = new Set([...charts.values()].flatMap((chart) => chart.tags));
  if (Object.keys(values).some((tag) => !known.has(tag)) && Date.now() - lastRefresh > 5000) {
    lastRefresh = Date.now();
    refresh();
  }
  charts.forEach((chart) => chart.append(steps, values, times));
}

onPageChange(
  () => charts.forEach((chart) => chart.plot?.setSize({ width: chart.canvas.clientWidth, height: HEIGHT })),
  () => charts.forEach((chart) => chart.draw()),
);
