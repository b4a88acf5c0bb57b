// Charts by uPlot from what the server wrote into `data-lines`; new steps are appended as they are told.
import uPlot from "../vendor/uplot/uPlot.esm.js";
import { lossText } from "./numbers.js";

const HEIGHT = 240;
const MOST_POINTS = 6000; // of one line, before the page asks the server for a thinned one
const charts = new Map();
const settings = { smoothing: 0, across: "steps", log: false, ...remembered() };

function remembered() {
  try {
    return JSON.parse(localStorage.getItem("chart-settings") ?? "{}");
  } catch {
    return {}; // written by another version
  }
}

export function changeSettings(changes) {
  Object.assign(settings, changes);
  localStorage.setItem("chart-settings", JSON.stringify(settings));
  for (const chart of charts.values()) chart.redraw();
}

export const currentSettings = () => ({ ...settings });

const colour = (name) => getComputedStyle(document.documentElement).getPropertyValue(name).trim();

// Exponential smoothing that starts at the first value; gaps stay gaps.
export function smooth(values, amount) {
  let mean = null;
  return values.map((value) => {
    if (value == null) return null;
    mean = mean === null ? value : amount * mean + (1 - amount) * value;
    return mean;
  });
}

class Chart {
  constructor(element) {
    this.element = element;
    this.canvas = element.querySelector(".chart-canvas");
    this.usesSettings = "settings" in element.dataset;
    this.read();
  }

  read() {
    this.source = this.element.dataset.lines;
    this.lines = JSON.parse(this.source);
    this.redraw();
  }

  // Take the server's lines again if they changed.
  renew() {
    if (this.element.dataset.lines !== this.source) this.read();
  }

  // `values` has an array for each tag, in step with `steps`.
  append(steps, values, times) {
    let grew = false;
    for (const line of this.lines) {
      steps.forEach((step, index) => {
        const value = values[line.tag]?.[index];
        if (value == null || step <= (line.steps.at(-1) ?? -1)) return;
        line.steps.push(step);
        line.values.push(value);
        line.times.push(times[index]);
        grew = true;
      });
    }
    if (grew) this.show();
  }

  get isFull() {
    return this.lines.some((line) => line.steps.length > MOST_POINTS);
  }

  data() {
    const { across, smoothing } = this.usesSettings ? settings : { across: "steps", smoothing: 0 };
    const tables = this.lines.map((line) => {
      const isLoss = line.tag === "loss";
      return [line[across], isLoss && smoothing ? smooth(line.values, smoothing) : line.values];
    });
    return tables.length ? uPlot.join(tables) : [[]];
  }

  show() {
    if (this.plot) this.plot.setData(this.data());
    else this.redraw();
  }

  redraw() {
    this.plot?.destroy();
    this.plot = null;
    if (!this.lines.length) return;
    this.canvas.replaceChildren();
    this.plot = new uPlot(this.options(), this.data(), this.canvas);
  }

  options() {
    const { across, log } = this.usesSettings ? settings : { across: "steps", log: false };
    const isLoss = this.lines.some((line) => line.tag.includes("loss"));
    const axis = { stroke: colour("--wait"), grid: { stroke: colour("--grid"), width: 1 }, ticks: { show: false } };
    const few = this.lines.length === 1;
    return {
      width: this.canvas.clientWidth,
      height: HEIGHT,
      scales: { x: { time: across === "times" }, y: { distr: log && isLoss ? 3 : 1 } },
      axes: [axis, { ...axis, size: 62, values: (_, ticks) => ticks.map((tick) => (tick == null ? "" : lossText(tick))) }],
      series: [
        { label: across === "times" ? "time" : "step" },
        ...this.lines.map((line, index) => ({
          label: line.tag.replaceAll("_", " "),
          stroke: colour(few || index ? "--line-2" : "--line-1"),
          width: few || index ? 2 : 1,
          points: { show: line.steps.length < 2 },
          spanGaps: true,
          value: (_, value) => lossText(value),
        })),
      ],
      cursor: { drag: { x: true, y: false } },
    };
  }

  resize() {
    this.plot?.setSize({ width: this.canvas.clientWidth, height: HEIGHT });
  }
}

// Make a chart of each element that has none yet, and renew those that the server wrote again.
export function startCharts() {
  for (const [element] of charts) if (!element.isConnected) charts.delete(element);
  for (const element of document.querySelectorAll(".chart[data-lines]")) {
    const chart = charts.get(element);
    if (chart) chart.renew();
    else charts.set(element, new Chart(element));
  }
}

// New values of a run; says whether the server should be asked for thinned lines.
export function appendToCharts(runId, steps, values, times) {
  let full = false;
  for (const [element, chart] of charts) {
    if (element.dataset.follow !== runId) continue;
    chart.append(steps, values, times);
    full ||= chart.isFull;
  }
  return full;
}

let resizeTimer = null;
addEventListener("resize", () => {
  clearTimeout(resizeTimer);
  resizeTimer = setTimeout(() => charts.forEach((chart) => chart.resize()), 100);
});
document.addEventListener("theme-changed", () => charts.forEach((chart) => chart.redraw()));
