// @ts-check
// Countdowns: the server writes the remaining seconds, and the script counts down from there, so that a wrong clock in
// the browser makes no difference.
import { refresh } from "./live.js";
import { durationText } from "./texts.js";

const deadlines = new WeakMap();

function tick() {
  for (const element of document.querySelectorAll("[data-seconds]")) {
    const given = element.dataset.seconds;
    let deadline = deadlines.get(element);
    if (deadline?.given !== given) {
      deadline = { given, at: performance.now() + Number(given) * 1000, over: false };
      deadlines.set(element, deadline);
    }
    const left = Math.max(0, (deadline.at - performance.now()) / 1000);
    element.textContent = durationText(left);
    if (left === 0 && !deadline.over) {
      deadline.over = true;
      refresh();
    }
  }
}

export function startCountdowns() {
  setInterval(tick, 1000);
}
