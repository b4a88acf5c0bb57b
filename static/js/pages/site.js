// @ts-check
// On every page: the colour switch, the connection, and the strip with the active run.
import "../parts/browse.js";
import "../parts/finder.js";
import "../parts/lightbox.js";
import "../parts/notices.js";
import "../parts/undo.js";
import "../parts/selection.js";
import { connect, onConnection, socketAddress } from "../live/live.js";
import { showState } from "../live/numbers.js";
import "../parts/shortcuts.js";

const PATIENCE = 1_500; // ms; a restart of the server within this time is not reported
const THEMES = {
  auto: ["device-desktop", gettext("automatic")],
  light: ["sun", gettext("light")],
  dark: ["moon", gettext("dark")],
};

function showTheme(button) {
  const [icon, label] = THEMES[window.theme.chosen()] ?? THEMES.auto;
  button.firstElementChild.className = `ti ti-${icon}`;
  button.setAttribute("aria-label", interpolate(gettext("Colours: %s"), [label]));
  button.title = interpolate(gettext("Colours: %s"), [label]);
}

function startTheme(button) {
  const names = Object.keys(THEMES);
  showTheme(button);
  button.addEventListener("click", () => {
    const next = names[(names.indexOf(window.theme.chosen()) + 1) % names.length];
    window.theme.choose(next);
    showTheme(button);
  });
}

function startConnection(element) {
  const words = { on: gettext("Live"), waiting: gettext("Reconnecting"), off: "" };
  onConnection((state) => {
    element.dataset.state = state;
    element.lastElementChild.textContent = words[state];
    showTrouble(state !== "on");
    element.title = state === "on" ? gettext("Changes arrive at once") : gettext("Checking every few seconds until the connection is back");
  });
}

// The banner: the page may be out of date. The server's own sentence (its database is away, for example) comes first.
let trouble = "";
let waiting = false;
/** @type {ReturnType<typeof setTimeout> | undefined} */
let timer;

function showTrouble(isWaiting = waiting) {
  waiting = isWaiting;
  clearTimeout(timer);
  const text = trouble || (waiting ? gettext("Not live: this page checks every 5 seconds until the connection is back.") : "");
  const banner = document.getElementById("not-live");
  const show = () => {
    banner.lastElementChild.textContent = text;
    banner.hidden = !text;
  };
  timer = setTimeout(show, text ? PATIENCE : 0);
}

// A click that did not reach the server is lost: say so in the place where the server would have reported the result.
function tellLost({ detail: { ctx } }) {
  if (!ctx?.request || ctx.request.method === "GET") return;
  const icon = Object.assign(document.createElement("i"), { className: "ti ti-alert-triangle alert-icon" });
  icon.setAttribute("aria-hidden", "true");
  const text = gettext("Not done: the server did not answer. Try again when the page is live.");
  const words = Object.assign(document.createElement("div"), { className: "alert-text", textContent: text });
  const alert = Object.assign(document.createElement("div"), { className: "alert alert-danger", role: "alert" });
  alert.append(icon, words);
  document.getElementById("messages").replaceChildren(alert);
  for (const button of document.querySelectorAll('[aria-busy="true"]')) button.removeAttribute("aria-busy");
}

function listenForTrouble(body) {
  body.addEventListener("htmx:error", tellLost);
  body.addEventListener("htmx:response:error", ({ detail: { ctx } }) => {
    if (ctx.response.status < 500) return;
    const isSentence = ctx.response.headers.get("Content-Type")?.startsWith("text/plain");
    trouble = isSentence ? ctx.text : gettext("The server failed: this page may be out of date.");
    showTrouble();
  });
  body.addEventListener("htmx:error", () => {
    trouble = gettext("The server does not answer: this page may be out of date.");
    showTrouble();
  });
  body.addEventListener("htmx:after:swap", () => {
    if (trouble) {
      trouble = "";
      showTrouble();
    }
  });
}

listenForTrouble(document.body);
startTheme(document.getElementById("theme"));
startConnection(document.getElementById("connection"));
connect(socketAddress("/ws"), (message) => {
  showState(message);
  document.dispatchEvent(new CustomEvent("site-message", { detail: message }));
});
if (isSecureContext) navigator.serviceWorker?.register("/service-worker.js");
