// @ts-check
// The last two hours of each machine in small charts, whose cursors move together.
import uPlot from "../../vendor/uplot/uPlot.esm.js";
import { axisStyle, css, onPageChange } from "../charts/plot.js";

const HEIGHT = 115;
const charts = new Map();
const sync = uPlot.sync("usage");

class Usage {
  /** @type {uPlot.AlignedData} */
  data = [[]];

  constructor(element) {
    this.element = element;
    this.canvas = element.querySelector(".usage-canvas");
    this.draw();
  }

  renew() {
    if (this.element.dataset.usage === this.source) return;
    this.read();
    this.plot?.setData(this.data);
  }

  read() {
    this.source = this.element.dataset.usage;
    const { times, lines } = JSON.parse(this.source);
    this.lines = lines;
    this.data = [times, ...lines.map((line) => line.values)];
  }

  draw() {
    this.read();
    this.plot?.destroy();
    this.canvas.replaceChildren();
    const axis = axisStyle();
    this.plot = new uPlot(
      {
        width: this.canvas.clientWidth,
        height: HEIGHT,
        scales: { y: { range: (_, low, high) => [0, Math.max(this.lines[0].most, 1.1 * high || 1)] } },
        axes: [{ ...axis, size: 26, space: 60, values: "{HH}:{mm}" }, { ...axis, size: 40, space: 32 }],
        series: [
          { label: "", value: "{HH}:{mm}" },
          ...this.lines.map((line, index) => ({
            label: `${line.label}, ${line.unit}`,
            stroke: css(index ? "--line-1" : "--line-2"),
            width: 1.5,
            points: { show: false },
            value: (_, value) => (value == null ? "–" : `${value} ${line.unit}`),
          })),
        ],
        cursor: { sync: { key: sync.key }, drag: { x: false, y: false } },
      },
      this.data,
      this.canvas,
    );
  }

  resize() {
    this.plot?.setSize({ width: this.canvas.clientWidth, height: HEIGHT });
  }
}

function start() {
  for (const [element] of charts) if (!element.isConnected) charts.delete(element);
  for (const element of document.querySelectorAll(".usage-chart")) {
    if (charts.has(element)) charts.get(element).renew();
    else charts.set(element, new Usage(element));
  }
}

onPageChange(
  () => charts.forEach((chart) => chart.resize()),
  () => charts.forEach((chart) => chart.draw()),
);
document.body.addEventListener("htmx:after:swap", start);
start();
