// @ts-check
// Texts of losses, speeds and lengths of time, the same as in web/templatetags/formats.py. Independent of the page.
// tests/cases/numbers.json has the cases for both.
export const NOTHING = "–";
/** @type {[string, number][]} */
const UNITS = [["d", 86400], ["h", 3600], ["min", 60], ["s", 1]];

/** @param {number | null | undefined} value */
export function lossText(value) {
  if (value == null) return NOTHING;
  const short = Number(value.toPrecision(4));
  return short !== 0 && Math.abs(short) < 1e-4 ? short.toExponential() : String(short);
}

/** @param {number | null | undefined} stepsPerSecond */
export function speedText(stepsPerSecond) {
  if (!stepsPerSecond) return NOTHING;
  return stepsPerSecond >= 1 ? `${stepsPerSecond.toFixed(2)} steps/s` : `${(1 / stepsPerSecond).toFixed(2)} s/step`;
}

/**
 * The two largest units.
 * @param {number | null | undefined} seconds
 */
export function durationText(seconds) {
  if (seconds == null) return NOTHING;
  let rest = Math.round(seconds);
  const first = UNITS.findIndex(([, size]) => rest >= size);
  if (first < 0) return "0 s";
  const parts = [];
  for (const [name, size] of UNITS.slice(first, first + 2)) {
    const count = Math.floor(rest / size);
    rest -= count * size;
    if (count) parts.push(`${count} ${name}`);
  }
  return parts.join(" ");
}

// A fraction as a whole percentage: 100 only when everything is done.
export const percentOf = (/** @type {number} */ fraction) => Math.floor(fraction * 100);

/**
 * The steps of the whole run, 0 while unknown: epochs before a change of the data had another length.
 * @param {Pick<RunState, "progress" | "max_step" | "max_epoch">} state
 */
export function stepsInAll({ progress, max_step: length, max_epoch: epochs }) {
  const { epoch, epoch_step: step, global_step: done } = progress ?? { epoch: 0, epoch_step: 0, global_step: 0 };
  return length && epochs ? done + Math.max(0, (epochs - epoch) * length - step) : 0;
}
