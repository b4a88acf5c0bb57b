// @ts-check
// The config editor: sends each change at once, and shows the answer of the server.
// Its parts are in ../editor: draft.js (sending), fields.js (showing), search.js, lists.js and json.js.
import { Draft } from "../editor/draft.js";
import { busyInput, jump, showAnswer } from "../editor/fields.js";
import { startJson } from "../editor/json.js";
import { follow, listStep, openFor, startLists } from "../editor/lists.js";
import { startSearch } from "../editor/search.js";

const TYPING = 400; // ms from the last keystroke until the change is sent
const root = document.getElementById("editor");
const form = document.getElementById("editor-form");
const saving = document.getElementById("editor-saving");
const banner = document.getElementById("editor-banner");
const TEXTS = "input:not([type=checkbox]):not([type=radio]):not([type=hidden]), textarea";
/** @type {ReturnType<typeof setTimeout> | undefined} */
let timer;

const draft = new Draft({
  address: root.dataset.address,
  token: form.querySelector("[name=csrfmiddlewaretoken]").value,
  revision: Number(form.querySelector("[data-revision]").value),
  tab: document.getElementById("editor-tab").dataset.tab,
  id: root.dataset.draft,
});

// -- showing -----------------------------------------------------------------------------------------------------------

draft.onAnswer = (answer) => {
  for (const input of document.querySelectorAll("[data-revision]")) input.value = answer.revision;
  form.querySelector("[data-tab-name]").value = answer.tab;
  showAnswer(answer, draft);
  json?.formChanged(answer);
};
draft.onState = (state, sentence) => {
  const words = { saved: "Saved", sending: "Saving…", failed: sentence };
  saving.textContent = words[state];
  saving.classList.toggle("is-bad", state === "failed");
};
draft.onNews = () => tell(gettext("Changed in another window"), gettext("The newest state is shown now."), []);
draft.onStale = (typed) => {
  const what = typed.length ? interpolate(gettext(" Your changes here (%s) are not saved yet."), [typed.join(", ")]) : "";
  const buttons = [[gettext("Show the newest"), () => draft.showNewest(false)]];
  if (typed.length) buttons.push([gettext("Show the newest and apply my changes again"), () => draft.showNewest(true)]);
  tell(gettext("This draft was changed in another window."), gettext("Nothing was overwritten.") + what, buttons);
};
draft.onRefused = (sentence) => tell(gettext("The change was refused."), sentence, [[gettext("Show the saved state"), () => draft.showNewest(false)]]);

function tell(title, text, buttons) {
  const alert = document.createElement("div");
  alert.className = `alert ${buttons.length ? "alert-warning" : "alert-info"} editor-alert`;
  alert.setAttribute("role", "alert");
  const words = document.createElement("div");
  words.className = "alert-text";
  const strong = document.createElement("strong");
  strong.textContent = title;
  words.append(strong, ` ${text} `);
  const all = buttons.length ? buttons : [["Fine", () => {}]];
  for (const [label, act] of all) {
    const button = document.createElement("button");
    button.type = "button";
    button.className = "btn btn-sm ms-1";
    button.textContent = label;
    button.addEventListener("click", () => (banner.replaceChildren(), act()));
    words.append(button);
  }
  alert.append(words);
  banner.replaceChildren(alert);
}

// -- typing ------------------------------------------------------------------------------------------------------------

const textOf = (input) => (input.type === "checkbox" ? String(input.checked) : input.value);

function note(input) {
  if (input.dataset.input) draft.change(input.dataset.input, { text: textOf(input) });
  else if (input.dataset.fact) draft.fact(input.dataset.fact, input.value);
  else return false;
  return true;
}

function sendSoon() {
  clearTimeout(timer);
  timer = setTimeout(() => draft.send(), TYPING);
}

function sendNow() {
  clearTimeout(timer);
  return draft.send();
}

form.addEventListener("input", (event) => {
  if (event.target.matches(TEXTS) && note(event.target)) sendSoon();
});
form.addEventListener("change", (event) => {
  const input = event.target;
  if (input.dataset.submit) submitWith(input);
  else if (!input.matches(TEXTS) && note(input)) sendNow();
  else if (draft.isPending) sendNow();
});

// -- buttons -----------------------------------------------------------------------------------------------------------

async function submitWith(select) {
  const verb = select.dataset.submit;
  select.dataset.chosen = ""; // so that an answer does not reset it
  await sendNow();
  if (draft.isStale) return;
  const button = document.createElement("button");
  Object.assign(button, { type: "submit", name: "do", value: verb, hidden: true });
  button.dataset.native = "";
  form.append(button);
  form.requestSubmit(button);
}

async function step(verb) {
  await sendNow();
  if (!document.getElementById(`editor-${verb}`)?.disabled) await draft.ask({ do: verb });
}

document.addEventListener("submit", (event) => {
  if (event.target !== form) return;
  const button = event.submitter;
  if (button?.dataset.native !== undefined) {
    if (!draft.isPending) return draft.leave();
    event.preventDefault();
    sendNow().then(() => draft.isStale || draft.isPending || form.requestSubmit(button));
    return;
  }
  event.preventDefault();
  if (button?.name === "reset") draft.reset(button.value, false);
  else if (button?.name === "reset-start") draft.reset(button.value, true);
  else if (button?.name === "list") draft.ask(listStep(button)).then(() => follow(button.value));
  else if (button?.dataset.do) step(button.dataset.do);
  else sendNow();
});

// -- tabs --------------------------------------------------------------------------------------------------------------

async function openTab(name, remember = true) {
  await sendNow();
  if (name === draft.tab || draft.isStale) return;
  await draft.ask({ tab: name });
  const address = new URL(location.href);
  address.searchParams.set("tab", name);
  address.hash = "";
  if (remember) history.pushState({}, "", address);
}

async function jumpTo(path, tab, target, why = "") {
  if (tab && tab !== draft.tab) await openTab(tab);
  if (path) await openFor(path, draft);
  jump(path, target, why);
}

document.addEventListener("click", (event) => {
  const link = event.target.closest("a[data-tab], [data-action]");
  if (!link || event.ctrlKey || event.metaKey || event.shiftKey) return;
  if (link.dataset.action === "show-all") return toggle("only-changed", false);
  event.preventDefault();
  if (link.dataset.target !== undefined) jumpTo(link.dataset.jump, link.dataset.tab, link.dataset.target);
  else openTab(link.dataset.tab).then(() => document.getElementById(`editor-tab-${draft.tab}`)?.focus());
});
addEventListener("popstate", () => {
  const name = new URL(location.href).searchParams.get("tab");
  const first = document.querySelector(".editor-tabs a[data-tab]")?.dataset.tab;
  if (name || first) openTab(name || first, false);
});

function neighbour(by) {
  const links = [...document.querySelectorAll(".editor-tabs a[data-tab]")];
  const index = links.findIndex((link) => link.dataset.tab === draft.tab);
  links[(index + by + links.length) % links.length]?.click();
}

// -- field filters -----------------------------------------------------------------------------------------------------

const REMEMBERED = "editor.show-advanced";

function toggle(name, on) {
  const button = document.getElementById(name);
  const pressed = on ?? button.getAttribute("aria-pressed") !== "true";
  button.setAttribute("aria-pressed", String(pressed));
  root.classList.toggle(name, pressed);
  if (name === "show-advanced") localStorage.setItem(REMEMBERED, String(pressed));
}

for (const name of ["only-changed", "show-advanced"]) {
  document.getElementById(name).addEventListener("click", () => toggle(name));
}
toggle("show-advanced", localStorage.getItem(REMEMBERED) === "true");

// -- errors ------------------------------------------------------------------------------------------------------------

let lastError = -1;

function nextError() {
  const links = [...document.querySelectorAll("#editor-problems a[data-target]")];
  if (!links.length) return;
  lastError = (lastError + 1) % links.length;
  links[lastError].click();
}

document.addEventListener("click", (event) => {
  if (!event.target.closest("#editor-status")) return;
  event.preventDefault();
  const list = document.getElementById("editor-problems");
  if (list.hidden) return;
  list.scrollIntoView({ block: "start" });
  list.focus({ preventScroll: true });
});

// -- keys --------------------------------------------------------------------------------------------------------------

const sheet = document.getElementById("shortcuts");
const KEYS = {
  "/": () => document.getElementById("editor-search-input").focus(),
  "[": () => neighbour(-1),
  "]": () => neighbour(1),
  e: nextError,
  c: () => toggle("only-changed"),
  a: () => toggle("show-advanced"),
  j: () => document.getElementById("json-toggle").click(),
};

document.addEventListener("keydown", (event) => {
  if (sheet.open) return;
  const typing = event.target.matches?.(`${TEXTS}, select, [contenteditable]`);
  const key = event.key.toLowerCase();
  if ((event.ctrlKey || event.metaKey) && !event.altKey && (key === "z" || key === "y")) {
    if (busyInput(event.target)) return; // the browser undoes within the text
    event.preventDefault();
    step(key === "y" || event.shiftKey ? "redo" : "undo");
  } else if (!typing && !event.ctrlKey && !event.metaKey && !event.altKey && KEYS[event.key]) {
    event.preventDefault();
    KEYS[event.key]();
  }
});

// -- on a phone --------------------------------------------------------------------------------------------------------

const isNarrow = matchMedia("(max-width: 640px)");
const folded = document.querySelector(".fact-more");

function fold() {
  const filled = [...folded.querySelectorAll("[data-fact]")].some((input) => input.value);
  folded.open = !isNarrow.matches || filled;
}

function showOpenTab() {
  const tabs = document.getElementById("editor-tabs");
  const link = tabs.querySelector(".active");
  const [from, to] = [link.offsetLeft, link.offsetLeft + link.offsetWidth];
  if (from < tabs.scrollLeft || to > tabs.scrollLeft + tabs.clientWidth) tabs.scrollLeft = from - 16;
}

if (folded) {
  fold();
  isNarrow.addEventListener("change", fold);
}
showOpenTab();
document.addEventListener("editor-drawn", (event) => event.target.id === "editor-tabs" && showOpenTab());

// -- leaving and coming back -------------------------------------------------------------------------------------------

addEventListener("pagehide", () => draft.leave());
addEventListener("beforeunload", (event) => {
  if (draft.isStale && draft.isPending) event.preventDefault();
  else draft.leave();
});
document.addEventListener("visibilitychange", () => (document.hidden ? draft.leave() : draft.look()));

draft.comeBack();
startLists(draft, form);
startSearch(document.getElementById("editor-search"), jumpTo);
const json = startJson(draft);
if (location.hash.startsWith("#field-")) {
  const element = document.getElementById(location.hash.slice(1));
  if (element) jump(element.dataset.field, element.dataset.field);
}
