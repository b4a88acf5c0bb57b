// @ts-check
// The curves of several runs in one chart, aligned by step, epoch or time; a selected range is fetched again.
import uPlot from "../../vendor/uplot/uPlot.esm.js";
import { smooth } from "../charts/curves.js";
import { durationText, lossText } from "../live/texts.js";
import { axisStyle, css, durationAxis, ends, logAxis, logRange, onPageChange, points, stepAxis } from "../charts/plot.js";

const HEIGHT = 320;
const POINTS = 1000; // of one run, in the shown range
const form = () => document.getElementById("compare-form");
/** @type {Comparison | null} */
let chart = null;

class Comparison {
  constructor(element) {
    this.element = element;
    this.canvas = element.querySelector(".compare-canvas");
    this.read();
  }

  read() {
    this.source = this.element.dataset.lines;
    this.lines = JSON.parse(this.source).map((line) => ({ ...line, began: line.times[0] }));
    this.whole = this.lines;
    this.draw();
  }

  resize() {
    this.plot?.setSize({ width: this.canvas.clientWidth, height: HEIGHT });
  }

  renew() {
    if (this.element.dataset.lines !== this.source) this.read();
  }

  across(line) {
    const { axis } = settings();
    if (axis === "epochs" && line.epoch_length) return line.steps.map((step) => step / line.epoch_length);
    if (axis === "seconds") return line.times.map((time) => time - line.began);
    return line.steps;
  }

  draw() {
    const { axis, log } = settings();
    this.plot?.destroy();
    this.canvas.replaceChildren();
    const [step, epoch, time] = this.element.dataset.words.split("|");
    const across = { steps: stepAxis, epochs: axisStyle, seconds: () => durationAxis(durationText) }[axis];
    const values = log ? logAxis(lossText) : { ...axisStyle(), values: (_, ticks) => ticks.map((tick) => (tick == null ? "" : lossText(tick))) };
    this.plot = new uPlot(
      {
        width: this.canvas.clientWidth,
        height: HEIGHT,
        scales: { x: { time: false, range: ends }, y: log ? { distr: 3, range: logRange } : {} },
        axes: [across(), { ...values, size: 62 }],
        series: [
          {
            label: { steps: step, epochs: epoch, seconds: time }[axis],
            value: (_, value) => (value == null ? "" : axis === "seconds" ? durationText(value) : lossText(value)),
          },
          ...this.lines.map((one) => ({
            label: one.name,
            stroke: css(`--run-${one.colour}`),
            width: 1.5,
            spanGaps: true,
            points,
            value: (_, value) => lossText(value),
          })),
        ],
        cursor: { drag: { x: true, y: false } },
        hooks: { setSelect: [(plot) => plot.select.width > 4 && this.zoom(plot)] },
      },
      this.data(),
      this.canvas,
    );
    this.plot.over.addEventListener("dblclick", () => this.reset());
  }

  data() {
    const { smoothing, log } = settings();
    const above = (value) => (log && value <= 0 ? null : value);
    return uPlot.join(this.lines.map((one) => [this.across(one), smooth(one.values, smoothing).map(above)]));
  }

  reset() {
    this.lines = this.whole;
    this.draw();
  }

  // Fetch the visible range of each run: the whole curve was thinned.
  async zoom(plot) {
    const [low, high] = [plot.select.left, plot.select.left + plot.select.width].map((at) => plot.posToVal(at, "x"));
    const tag = document.getElementById("compare-tag").value;
    const found = await Promise.all(
      this.whole.map(async (line) => {
        const places = this.across(line);
        const inside = line.steps.filter((_, index) => places[index] >= low && places[index] <= high);
        if (!inside.length) return { ...line, steps: [], values: [], times: [] };
        const query = new URLSearchParams({ tag, points: String(POINTS), from: inside[0], to: inside.at(-1) });
        const answer = await fetch(`/api/runs/${line.run}/metrics?${query}`).catch(() => null);
        const series = answer?.ok ? (await answer.json()).series[tag] : null;
        return series ? { ...line, ...series } : line;
      }),
    );
    this.lines = found;
    this.draw();
    this.plot?.setScale("x", { min: low, max: high });
  }
}

function settings() {
  const value = (id) => document.getElementById(id);
  return {
    axis: value("compare-axis").value,
    smoothing: Number(value("compare-smoothing").value),
    log: value("compare-log").checked,
  };
}

function start() {
  const element = document.getElementById("compare-chart");
  if (!element) return;
  if (chart && chart.element === element) chart.renew();
  else chart = new Comparison(element);
}

document.addEventListener("change", ({ target }) => {
  if ("submits" in target.dataset) target.form.requestSubmit();
  else if (target.form === form() && chart) {
    const address = new URL(location.href);
    address.searchParams.set("axis", settings().axis);
    history.replaceState(null, "", address);
    chart.reset();
  }
});
document.addEventListener("input", ({ target }) => target.id === "compare-smoothing" && chart?.plot?.setData(chart.data(), false));
document.body.addEventListener("htmx:after:swap", start);
onPageChange(
  () => chart?.resize(),
  () => chart?.draw(),
);
start();
