// @ts-check
// Shared by all uPlot charts: the theme's colours, the axes, and redrawing.
import { logTicks } from "./curves.js";

/** @import uPlot from "../../vendor/uplot/uPlot.esm.js" */

export const css = (name) => getComputedStyle(document.documentElement).getPropertyValue(name).trim();

export const axisStyle = () => ({
  stroke: css("--wait"),
  grid: { stroke: css("--grid"), width: 1 },
  ticks: { show: false },
});

// Steps are whole numbers, even on a short axis.
const WHOLE = Array.from({ length: 12 }, (_, power) => [1, 2, 5].map((first) => first * 10 ** power)).flat();
const SECONDS = [1, 2, 5, 10, 15, 30, 60, 120, 300, 600, 900, 1800, 3600, 7200, 14400, 21600, 43200, 86400];
const DURATIONS = [...SECONDS, ...[2, 5, 10, 20, 50].map((days) => days * 86400)];
const two = (number) => String(number).padStart(2, "0");

export const dayText = (date) => `${date.getFullYear()}-${two(date.getMonth() + 1)}-${two(date.getDate())}`;
export const clockText = (date) => [date.getHours(), date.getMinutes(), date.getSeconds()].map(two).join(":");

export const stepAxis = () => ({ ...axisStyle(), incrs: WHOLE });
export const durationAxis = (text) => ({
  ...axisStyle(),
  incrs: DURATIONS,
  space: 90,
  values: (_, ticks) => ticks.map((tick) => (tick == null ? "" : text(tick))),
});

// The time in the format of the other pages, with the date below where a day begins.
export const timeAxis = () => ({
  ...axisStyle(),
  values: (_, ticks, axis, space, every) =>
    ticks.map((tick, at) => {
      const date = new Date(tick * 1000);
      const day = dayText(date);
      const isNew = at === 0 || day !== dayText(new Date(ticks[at - 1] * 1000));
      return clockText(date).slice(0, every < 60 ? 8 : 5) + (isNew ? `\n${day}` : "");
    }),
});

export const logAxis = (text) => ({
  ...axisStyle(),
  splits: (_, axis, low, high) => logTicks(low, high),
  filter: (_, ticks) => ticks,
  values: (_, ticks) => ticks.map(text),
});

// The range from the lowest to the highest value, not rounded to whole powers of ten.
/** @type {(plot: uPlot, low: number, high: number) => uPlot.Range.MinMax} */
export const logRange = (_, low, high) => (low > 0 ? [low / 1.1, high * 1.1] : [0.1, 1]);

// The ends of the x axis, with space around a single value: uPlot would put it at the edge of a range of 100.
/** @type {(plot: uPlot, low: number, high: number) => uPlot.Range.MinMax} */
export const ends = (plot, low, high) => (plot.data[0].length === 1 ? [plot.data[0][0] - 1, plot.data[0][0] + 1] : [low, high]);

// A line of one value is a point.
export const points = { show: (plot, line) => plot.data[line].reduce((count, value) => count + (value != null), 0) === 1 };

// Call `resize` when the size of the window changes, and `redraw` when the theme changes.
export function onPageChange(resize, redraw) {
  /** @type {ReturnType<typeof setTimeout> | undefined} */
  let timer;
  addEventListener("resize", () => {
    clearTimeout(timer);
    timer = setTimeout(resize, 100);
  });
  document.addEventListener("theme-changed", redraw);
}
