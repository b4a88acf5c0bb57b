// On every page: the colour switch, the connection, and the strip that says what trains now.
import "./browse.js";
import { connect, onConnection, socketAddress } from "./live.js";
import { showState } from "./numbers.js";

const THEMES = {
  auto: ["device-desktop", "automatic"],
  light: ["sun", "light"],
  dark: ["moon", "dark"],
};

function showTheme(button) {
  const [icon, label] = THEMES[window.theme.chosen()] ?? THEMES.auto;
  button.firstElementChild.className = `ti ti-${icon}`;
  button.setAttribute("aria-label", `Colours: ${label}`);
  button.title = `Colours: ${label}`;
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
  const words = { on: "Live", waiting: "Reconnecting", off: "" };
  onConnection((state) => {
    element.dataset.state = state;
    element.lastElementChild.textContent = words[state];
    element.title = state === "on" ? "Changes arrive at once" : "Asking every few seconds until the connection is back";
  });
}

startTheme(document.getElementById("theme"));
startConnection(document.getElementById("connection"));
connect(socketAddress("/ws"), showState);
