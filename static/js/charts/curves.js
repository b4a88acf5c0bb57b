// @ts-check
// Calculations for charts, independent of the page.

// The index of the last value of a sorted list that is not above `value`; -1 if all are above.
/**
 * @param {number[]} sorted
 * @param {number} value
 */
export function lastNotAbove(sorted, value) {
  let low = 0;
  let high = sorted.length;
  while (low < high) {
    const middle = (low + high) >> 1;
    if (sorted[middle] <= value) low = middle + 1;
    else high = middle;
  }
  return low - 1;
}

// The index of the value nearest to `value` in a sorted list.
/**
 * @param {number[]} sorted
 * @param {number} value
 */
export function nearest(sorted, value) {
  const before = lastNotAbove(sorted, value);
  if (before < 0) return sorted.length ? 0 : -1;
  if (before === sorted.length - 1) return before;
  return value - sorted[before] <= sorted[before + 1] - value ? before : before + 1;
}

/**
 * @param {number[]} values
 * @param {number} amount
 */
function forward(values, amount) {
  let mean = values[0];
  return values.map((value) => (mean = amount * mean + (1 - amount) * value));
}

// Exponential smoothing forwards and then backwards: with zero phase, no bend of the curve is delayed.
/**
 * @param {number[]} values
 * @param {number} amount from 0, which changes nothing, to just below 1
 */
export function smooth(values, amount) {
  if (!amount || values.length < 3) return values;
  return forward(forward(values, amount).reverse(), amount).reverse();
}

// The range of values without the lowest and the highest two percent, with a small margin.
/**
 * @param {number[]} values
 * @returns {[number, number] | null}
 */
export function withoutOutliers(values) {
  const sorted = values.filter(Number.isFinite).sort((one, other) => one - other);
  if (!sorted.length) return null;
  const at = (/** @type {number} */ part) => sorted[Math.round(part * (sorted.length - 1))];
  const [low, high] = [at(0.02), at(0.98)];
  const air = (high - low || Math.abs(high) || 1) * 0.05;
  return [low - air, high + air];
}

// Labels of a logarithmic axis: 1, 2 and 5 of each power of ten, or evenly spaced if it spans less than one power.
/**
 * @param {number} low above zero
 * @param {number} high
 */
export function logTicks(low, high) {
  const lowest = Math.floor(Math.log10(low));
  const powers = Array.from({ length: Math.ceil(Math.log10(high)) - lowest + 1 }, (_, index) => 10 ** (lowest + index));
  const ticks = high / low < 8 ? evenly(low, high) : powers.flatMap((power) => [power, 2 * power, 5 * power]);
  return ticks.map((tick) => Number(tick.toPrecision(6))).filter((tick) => tick >= low && tick <= high);
}

/**
 * @param {number} low
 * @param {number} high
 */
function evenly(low, high) {
  const power = 10 ** Math.floor(Math.log10((high - low) / 4));
  const each = [1, 2, 5, 10].map((first) => first * power).find((size) => (high - low) / size <= 6) ?? 10 * power;
  const first = Math.ceil(low / each - 1e-9); // 0.3 / 0.05 is 5.999999999999999
  return Array.from({ length: Math.floor(high / each + 1e-9) - first + 1 }, (_, index) => (first + index) * each);
}

const quoted = (/** @type {string} */ cell) => (/[",\n]/.test(cell) ? `"${cell.replaceAll('"', '""')}"` : cell);

// One line per step, one column per metric; `lines` have `tag`, `steps`, `values` and `times`.
/** @param {{tag: string, steps: number[], values: number[], times: number[]}[]} lines */
export function csvOf(lines) {
  /** @type {Map<number, (number | string)[]>} */
  const rows = new Map();
  lines.forEach((line, column) =>
    line.steps.forEach((step, index) => {
      const row = rows.get(step) ?? [step, new Date(line.times[index] * 1000).toISOString()];
      row[column + 2] = line.values[index];
      rows.set(step, row);
    }),
  );
  const head = ["step", "time", ...lines.map((line) => line.tag)];
  const body = [...rows.values()].sort((one, other) => Number(one[0]) - Number(other[0]));
  const width = head.length;
  return [head, ...body].map((row) => Array.from({ length: width }, (_, at) => quoted(String(row[at] ?? ""))).join(",")).join("\n");
}
