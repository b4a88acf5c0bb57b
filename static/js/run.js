// The pages that show how one run goes on: the dashboard, and a run's tabs.
import { appendToCharts, changeSettings, currentSettings, startCharts } from "./chart.js";
import { connect, refresh, socketAddress } from "./live.js";
import { startLog } from "./log.js";
import { showNumbers } from "./numbers.js";

const runPage = document.body.dataset.runPage;
const log = startLog(document.getElementById("log"));

function start() {
  startCharts();
  log.renew(document.getElementById("log"));
  startSettings(document.getElementById("chart-settings"));
  startConfigSearch(document.getElementById("config-search"));
}

function append(runId, steps, values, times) {
  if (appendToCharts(runId, steps, values, times)) refresh();
}

// The dashboard hears the run's state only, so its chart grows by what that says of the newest step.
function appendState(state) {
  if (runPage || !state.progress || state.loss == null) return;
  const values = { loss: [state.loss], smooth_loss: [state.smooth_loss] };
  append(state.run_id, [state.progress.global_step], values, [Date.now() / 1000]);
}

let signature = null;
function takeState(state) {
  showNumbers(state);
  const now = `${state.run_status},${state.attempt}`;
  if (signature !== null && signature !== now) refresh();
  signature = now;
}

function take({ type, data }) {
  if (type === "connected" || type === "training_state") takeState(data);
  else if (type === "metrics") {
    append(data.run_id, data.steps, data.values, data.steps.map(() => Date.now() / 1000));
  } else if (type === "log") log.append(data);
  else if (["sample_default", "sample_custom", "artifact", "command"].includes(type)) refresh();
}

function startSettings(form) {
  if (!form || form.dataset.started) return;
  form.dataset.started = "yes";
  const { smoothing, across, log: logarithmic } = currentSettings();
  const [slider, select, check, output] = ["smoothing", "x-axis", "log-axis", "smoothing-value"].map((id) =>
    document.getElementById(id),
  );
  slider.value = output.value = smoothing;
  select.value = across;
  check.checked = logarithmic;
  slider.addEventListener("input", () => {
    output.value = slider.value;
    changeSettings({ smoothing: Number(slider.value) });
  });
  select.addEventListener("change", () => changeSettings({ across: select.value }));
  check.addEventListener("change", () => changeSettings({ log: check.checked }));
}

// Show the config's fields whose path holds what was typed, and open what they lie in.
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

start();
document.body.addEventListener("htmx:after:swap", start);
document.addEventListener("run-state", (event) => appendState(event.detail));
if (runPage) connect(socketAddress(`/ws/runs/${runPage}`), take);
