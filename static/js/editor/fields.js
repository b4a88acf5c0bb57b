// @ts-check
// Show the answers of the server without changing an input while the user types in it.

const TYPED = "input:not([type=checkbox]):not([type=radio]), textarea";
const shown = new Map(); // the HTML that each part got last

/** @type {(html: string) => any} */
const parse = (html) => {
  const template = document.createElement("template");
  template.innerHTML = html.trim();
  return template.content.firstElementChild;
};
const fieldOf = (path) => document.querySelector(`[data-field="${CSS.escape(path)}"]`);
export const busyInput = (element) =>
  element?.matches?.(TYPED) && (element.dataset.typed !== undefined || element.form?.id !== "editor-form");

document.addEventListener("input", (event) => (event.target.dataset.typed = ""));
document.addEventListener("focusout", (event) => {
  const input = event.target;
  delete input.dataset.typed;
  if (input.dataset.fresh === undefined) return;
  if (!input.dataset.waits) input.value = input.dataset.fresh;
  delete input.dataset.fresh;
});

// A button that is replaced between the press and the release of the pointer gets no click: answers wait until then.
/** @type {Promise<void> | null} */
let released = null;
/** @type {(() => void) | null} */
let release = null;
const hold = () => (released ??= new Promise((resolve) => (release = resolve)));
const letGo = () => setTimeout(() => (release?.(), (released = release = null))); // after the click
addEventListener("pointerdown", hold, true);
for (const end of ["pointerup", "pointercancel", "dragend"]) addEventListener(end, letGo, true);

export function showAnswer(answer, draft) {
  if (released) return void released.then(() => showAnswer(answer, draft));
  for (const [id, html] of Object.entries(answer.parts)) showPart(id, html);
  for (const [path, html] of Object.entries(answer.fields)) showField(path, html, draft);
  for (const [name, text] of Object.entries(answer.facts)) showFact(name, text, draft);
  for (const name of ["start", "engine"]) {
    const select = document.getElementById(name);
    if (select && select.dataset.chosen === undefined) select.value = answer[name];
  }
}

function showPart(id, html) {
  const old = document.getElementById(id);
  if (!old || shown.get(id) === html) return;
  shown.set(id, html);
  replace(old, parse(html));
}

// Replace the element, and restore the focus.
function replace(old, fresh) {
  const focused = old.contains(document.activeElement) ? document.activeElement : null;
  const scrolled = old.scrollLeft;
  old.replaceWith(fresh);
  fresh.scrollLeft = scrolled;
  window.htmx?.process(fresh);
  fresh.dispatchEvent(new CustomEvent("editor-drawn", { bubbles: true }));
  if (!focused) return;
  const again = (focused.id && document.getElementById(focused.id)) || fresh.querySelector("[data-input], a, button");
  (again?.disabled ? document.querySelector("#editor-history button:not(:disabled)") ?? fresh : again)?.focus({ preventScroll: true });
}

function showField(path, html, draft) {
  const old = fieldOf(path);
  if (!old) return;
  const fresh = parse(html);
  const input = old.querySelector("[data-input]");
  const next = fresh.querySelector("[data-input]");
  const kept = old.matches(".field") && input && next && input.tagName === next.tagName && (input === document.activeElement || draft.isTyped(path));
  if (kept) showAround(old, fresh, input, next, draft.isTyped(path));
  else replace(old, fresh);
}

// Update all of the field but its input; a select or a switch that only has the focus is updated too.
function showAround(old, fresh, input, next, typed) {
  old.className = fresh.className;
  old.dataset.state = fresh.dataset.state;
  for (const part of [".field-head", ".field-foot"]) old.querySelector(part).replaceWith(fresh.querySelector(part));
  if (next.hasAttribute("aria-invalid")) input.setAttribute("aria-invalid", "true");
  else input.removeAttribute("aria-invalid");
  if (typed) return;
  if (input.matches(TYPED)) input.dataset.fresh = next.value;
  else if (input.type === "checkbox") input.checked = next.checked;
  else input.value = next.value;
}

function showFact(name, text, draft) {
  const input = document.querySelector(`[data-fact="${name}"]`);
  if (input && input !== document.activeElement && !draft.facts.has(name)) input.value = text;
}

// Scroll to a field and focus it; a field that does not apply shows the reason.
export function jump(path, target, why = "") {
  const field = fieldOf(path) ?? fieldOf(target);
  if (!field) return;
  for (const other of document.querySelectorAll(".field.is-found")) other.classList.remove("is-found");
  for (const other of document.querySelectorAll(".field-absent")) other.hidden = true;
  if (field.classList.contains("field-absent")) field.hidden = false;
  field.classList.add("is-found");
  field.closest("details")?.setAttribute("open", "");
  field.scrollIntoView({ block: "center" });
  const input = field.querySelector("[data-input]");
  if (input) return input.focus({ preventScroll: true });
  field.tabIndex = -1;
  field.focus({ preventScroll: true });
  if (why) field.setAttribute("aria-label", why);
}
