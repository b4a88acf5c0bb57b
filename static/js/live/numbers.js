// @ts-check
// Writes a run's state from the WebSocket into the elements that show it, in the server's format.
import { refresh } from "./live.js";
import { NOTHING, durationText, lossText, percentOf, speedText, stepsInAll } from "./texts.js";

/** @param {RunState} state */
function shown(state) {
  const progress = state.progress ?? { epoch: 0, epoch_step: 0, global_step: 0 };
  const total = stepsInAll(state);
  const done = total ? Math.min(1, progress.global_step / total) : 0;
  return {
    status: state.status.replace(/ ?\.{3}$/, ""),
    step: progress.global_step,
    total: total || NOTHING,
    epoch: Math.min(progress.epoch + 1, state.max_epoch || progress.epoch + 1),
    "max-epoch": state.max_epoch || NOTHING,
    percent: percentOf(done),
    loss: lossText(state.loss),
    "smooth-loss": lossText(state.smooth_loss),
    speed: speedText(state.steps_per_second),
    eta: durationText(state.eta_seconds),
    activity: state.activity?.text ?? "",
    "activity-bar": state.activity?.fraction ?? null,
    "step-bar": done,
    "epoch-bar": done === 1 ? 1 : state.max_step ? Math.min(1, progress.epoch_step / state.max_step) : 0,
  };
}

// A bar without a value moves: the part that is done is not known.
function setBar(bar, value) {
  if (value == null) bar.removeAttribute("value");
  else bar.value = value;
}

/**
 * @param {Element} container
 * @param {Record<string, string | number | null>} values
 */
function fill(container, values) {
  for (const element of container.querySelectorAll("[data-live]")) {
    const value = values[element.dataset.live];
    if (value === undefined) continue;
    if (element.tagName === "PROGRESS") setBar(element, value);
    else if (element.textContent !== String(value)) element.textContent = value;
  }
}

// More than the numbers: another run, another status, a shorter queue.
const signatureOf = (/** @type {RunState} */ state) =>
  [state.run_id, state.run_status, state.queue_length, state.attempt, state.stale, state.activity?.phase].join();
let signature = signatureOf(stateInPage("state-of-site"));

/** @param {RunState} state */
function changed(state) {
  const now = signatureOf(state);
  const differs = signature !== now;
  signature = now;
  return differs;
}

// The state that the server rendered: what changed before the socket was open differs from it.
/**
 * @param {string} id
 * @returns {RunState}
 */
export function stateInPage(id) {
  return JSON.parse(document.getElementById(id).textContent);
}

// A message of `/ws`, about the active run.
/** @param {{type: string, data: RunState}} message */
export function showState({ type, data }) {
  if (type === "connected" || type === "training_state") {
    showNumbers(data);
    if (changed(data)) refresh();
    document.dispatchEvent(new CustomEvent("run-state", { detail: data }));
  } else if (type === "sample_default" || type === "sample_custom") {
    refresh();
  }
}

/** @param {RunState} state */
export function showNumbers(state) {
  const values = shown(state);
  for (const container of document.querySelectorAll(`[data-run="${state.run_id}"]`)) fill(container, values);
}
