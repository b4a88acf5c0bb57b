// @ts-check
// On every page: the colour switch, the connection, and the strip that says what trains now.
import "../parts/browse.js";
import "../parts/lightbox.js";
import "../parts/selection.js";
import { connect, onConnection, socketAddress } from "../live/live.js";
import { showState } from "../live/numbers.js";
import "../parts/shortcuts.js";

const PATIENCE = 1_500; // ms; a server that starts again in that time is not worth a word
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
    element.title = state === "on" ? gettext("Changes arrive at once") : gettext("Asking every few seconds until the connection is back");
  });
}

// The banner: what one sees may be old. The server's own sentence, such as that its database is away, comes first.
let trouble = "";
let waiting = false;
/** @type {ReturnType<typeof setTimeout> | undefined} */
let timer;

function showTrouble(isWaiting = waiting) {
  waiting = isWaiting;
  clearTimeout(timer);
  const text = trouble || (waiting ? gettext("Not live: this page asks every 5 seconds until the connection is back.") : "");
  const banner = document.getElementById("not-live");
  const show = () => {
    banner.lastElementChild.textContent = text;
    banner.hidden = !text;
  };
  timer = setTimeout(show, text ? PATIENCE : 0);
}

// A press that did not reach the server is lost: say so where the server would have told what became of it.
function tellLost({ detail: { ctx } }) {
  if (!ctx?.request || ctx.request.method === "GET") return;
  const icon = Object.assign(document.createElement("i"), { className: "ti ti-alert-triangle alert-icon" });
  icon.setAttribute("aria-hidden", "true");
  const text = gettext("This was not done, since the server did not answer. Try again once the page is live.");
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
    trouble = isSentence ? ctx.text : gettext("The server failed: what you see may be old.");
    showTrouble();
  });
  body.addEventListener("htmx:error", () => {
    trouble = gettext("The server does not answer: what you see may be old.");
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
