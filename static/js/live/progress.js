// @ts-check
// The page's title and icon while a run trains, and a notification when it ends; never a sound.
import { stepsInAll } from "./texts.js";

const SIZE = 64;
const icon = document.querySelector('link[rel="icon"]');
const [title, address] = [document.title, icon.href];
let shown = "";
/** @type {any} */
let before = null;

const isActive = (status) => ["starting", "running", "paused", "stopping"].includes(status);

function ring(done, paused) {
  const canvas = Object.assign(document.createElement("canvas"), { width: SIZE, height: SIZE });
  const ctx = /** @type {CanvasRenderingContext2D} */ (canvas.getContext("2d"));
  const circle = (colour, part) => {
    ctx.strokeStyle = colour;
    ctx.beginPath();
    ctx.arc(SIZE / 2, SIZE / 2, SIZE / 2 - 8, -Math.PI / 2, -Math.PI / 2 + part * 2 * Math.PI);
    ctx.stroke();
  };
  ctx.lineWidth = 13;
  circle("#9aa5b1", 1);
  circle(paused ? "#f5b657" : "#0b66c3", done);
  return canvas.toDataURL();
}

function show(percent, status) {
  const active = isActive(status);
  const now = active ? `${percent}${status}` : "";
  if (now === shown) return;
  shown = now;
  document.title = active ? `${percent} % · ${title}` : title;
  icon.type = active ? "image/png" : "image/svg+xml";
  icon.href = active ? ring(percent / 100, status === "paused") : address;
}

const wanted = () => localStorage.getItem("notify") === "yes" && Notification.permission === "granted";

function notify(state) {
  if (!("Notification" in window) || !wanted()) return;
  const words = { finished: gettext("The run has finished."), stopped: gettext("The run was stopped."), failed: gettext("The run failed.") };
  new Notification(state.run_name, { body: state.error || (words[state.run_status] ?? state.run_status), tag: state.run_id, silent: true });
}

// Update title and icon from a state message of the WebSocket.
export function showProgress(state) {
  const total = stepsInAll(state);
  const done = total ? Math.min(1, (state.progress?.global_step ?? 0) / total) : 0;
  show(Math.floor(done * 100), state.run_status);
  const same = before?.run_id === state.run_id;
  if (same && isActive(before.run_status) && state.run_status && !isActive(state.run_status)) notify(state);
  before = state;
}

// The bell asks the browser for permission once; the answer is remembered for all runs.
export function startBell() {
  const bell = document.getElementById("notify");
  if (!bell || bell.dataset.started || !("Notification" in window) || Notification.permission === "denied") return;
  bell.dataset.started = "yes";
  bell.hidden = false;
  bell.setAttribute("aria-pressed", wanted());
  bell.addEventListener("click", async () => {
    const turnOn = !wanted();
    if (turnOn && Notification.permission === "default") await Notification.requestPermission();
    localStorage.setItem("notify", turnOn ? "yes" : "no");
    bell.setAttribute("aria-pressed", wanted());
    bell.hidden = Notification.permission === "denied";
  });
}
