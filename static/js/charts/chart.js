// @ts-check
// uPlot charts of the lines in `data-lines`, which the server writes; new steps are appended when they are reported.
import uPlot from "../../vendor/uplot/uPlot.esm.js";
import { lossText } from "../live/texts.js";
import { axisStyle, css, ends, onPageChange, points, stepAxis } from "./plot.js";

const HEIGHT = 240;
const MOST_POINTS = 6000; // of one line, before the page requests a thinned line from the server
const charts = new Map();

class Chart {
  constructor(element) {
    this.element = element;
    this.canvas = element.querySelector(".chart-canvas");
    this.read();
  }

  read() {
    this.source = this.element.dataset.lines;
    this.lines = JSON.parse(this.source);
    this.redraw();
  }

  // Load the server's lines again if they changed.
  renew() {
    if (this.element.dataset.lines !== this.source) this.read();
  }

  // `values` has an array for each tag, parallel to `steps`.
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

  /** @returns {uPlot.AlignedData} */
  data() {
    return this.lines.length ? uPlot.join(this.lines.map((line) => [line.steps, line.values])) : /** @type {any} */ ([[]]);
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

  /** @returns {uPlot.Options} */
  options() {
    const few = this.lines.length === 1;
    return {
      width: this.canvas.clientWidth,
      height: HEIGHT,
      scales: { x: { time: false, range: ends } },
      axes: [stepAxis(), { ...axisStyle(), size: 62, values: (_, ticks) => ticks.map((tick) => (tick == null ? "" : lossText(tick))) }],
      series: [
        { label: gettext("step") },
        ...this.lines.map((line, index) => ({
          label: line.tag.replaceAll("_", " "),
          stroke: css(few || index ? "--line-2" : "--line-1"),
          width: few || index ? 2 : 1,
          points,
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

// Make a chart of each element without a chart, and update charts whose data the server rendered again.
export function startCharts() {
  for (const [element] of charts) if (!element.isConnected) charts.delete(element);
  for (const element of document.querySelectorAll(".chart[data-lines]")) {
    const chart = charts.get(element);
    if (chart) chart.renew();
    else charts.set(element, new Chart(element));
  }
}

// Append new values of a run; true if thinned lines should be requested from the server.
export function appendToCharts(runId, steps, values, times) {
  let full = false;
  for (const [element, chart] of charts) {
    if (element.dataset.follow !== runId) continue;
    chart.append(steps, values, times);
    full ||= chart.isFull;
  }
  return full;
}

onPageChange(
  () => charts.forEach((chart) => chart.resize()),
  () => charts.forEach((chart) => chart.redraw()),
);
