// @ts-check
// The pages that show the progress of one run: the dashboard, and a run's tabs.
import { appendToCharts, startCharts } from "../charts/chart.js";
import { startCountdowns } from "../live/countdown.js";
import { hidePreview, showPreview } from "../parts/draw.js";
import "./grid.js";
import { connect, refresh, socketAddress } from "../live/live.js";
import { startLog } from "../live/log.js";
import { appendMetrics, startMetrics } from "../charts/metrics.js";
import { showNumbers, stateInPage } from "../live/numbers.js";
import { showProgress, startBell } from "../live/progress.js";

const runPage = document.body.dataset.runPage;
const log = startLog(document.getElementById("log"));

function start() {
  startCharts();
  log.renew(document.getElementById("log"));
  startMetrics();
  startBell();
  startConfigSearch(document.getElementById("config-search"));
}

function append(runId, steps, values, times) {
  if (appendToCharts(runId, steps, values, times)) refresh();
}

// The dashboard gets the run's state only, so its chart grows by the newest step in the state.
function appendState(state) {
  if (!runPage) showProgress(state);
  if (runPage || !state.progress || state.loss == null) return;
  const values = { loss: [state.loss], smooth_loss: [state.smooth_loss] };
  append(state.run_id, [state.progress.global_step], values, [Date.now() / 1000]);
}

const signatureOf = (/** @type {RunState} */ state) =>
  [state.run_status, state.attempt, state.start_after ?? "", state.stale, state.waits_for, state.activity?.phase].join();
const rendered = runPage ? stateInPage("state-of-run") : null;
let signature = rendered && signatureOf(rendered);
function takeState(state) {
  showNumbers(state);
  showProgress(state);
  const now = signatureOf(state);
  if (signature !== now) refresh();
  signature = now;
}

// A sample, a file or a command of the steps between the rendering and the connection is not among the messages.
let isFirst = true;
function takeConnected(state) {
  if (isFirst && rendered?.progress?.global_step !== state.progress?.global_step) refresh();
  isFirst = false;
  takeState(state);
}

function take({ type, data }) {
  if (type === "connected") takeConnected(data);
  else if (type === "training_state") takeState(data);
  else if (type === "metrics") {
    append(data.run_id, data.steps, data.values, data.times);
    appendMetrics(data.steps, data.values, data.times);
  } else if (type === "log") log.append(data);
  else if (type === "sample_default_progress" || type === "sample_custom_progress") showPreview(data);
  else if (["sample_default", "sample_custom", "artifact", "command"].includes(type)) {
    if (type.startsWith("sample")) hidePreview();
    refresh();
  }
}

// Show the config's fields whose path contains the typed text, and open the sections around them.
function startConfigSearch(input) {
  if (!input || input.dataset.started) return;
  input.dataset.started = "yes";
  input.addEventListener("input", () => {
    const wanted = input.value.trim().toLowerCase();
    for (const item of document.querySelectorAll("#config li")) {
      const found = !wanted || item.textContent.toLowerCase().includes(wanted);
      item.hidden = !found;
      const details = item.querySelector(":scope > details");
      if (details) details.open = Boolean(wanted) && found;
    }
  });
}

document.addEventListener("click", async ({ target }) => {
  const button = target.closest("[data-copy]");
  if (!button) return;
  await navigator.clipboard.writeText(button.dataset.copy);
  button.firstElementChild.className = "ti ti-check";
  setTimeout(() => (button.firstElementChild.className = "ti ti-copy"), 2000);
});

// A pressed button stays disabled until the server has rendered it again.
document.addEventListener("submit", ({ target }) => {
  const button = target.closest(".action-bar form")?.querySelector("button");
  if (button) setTimeout(() => button.setAttribute("aria-busy", "true"));
});

// If the tabs are wider than the screen, scroll to the current tab.
function showTab(tab) {
  const strip = tab?.closest(".tabs");
  if (strip) strip.scrollLeft = tab.offsetLeft + tab.offsetWidth - strip.clientWidth;
}

start();
showTab(document.querySelector(".tabs [aria-current]"));
startCountdowns();
document.body.addEventListener("htmx:after:swap", start);
document.addEventListener("run-state", (event) => appendState(event.detail));
if (runPage) connect(socketAddress(`/ws/runs/${runPage}`), take);
