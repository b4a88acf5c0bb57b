// @ts-check
// Lists in the editor: open and drag items, and show the pictures of a concept's folder.
const HTML = { headers: { "HX-Request": "true" } };
const known = new Map(); // the last answer of each address, so that a line does not flicker when it is rendered again

export const openItems = () => [...document.querySelectorAll("[data-item][data-open]")].map((item) => item.dataset.item);

// -- steps ----------------------------------------------------------------------------------------------------------

// The change that the pressed button of a list requests; the text next to it is used once.
export function listStep(button) {
  const input = document.getElementById(button.dataset.text);
  const text = input?.value ?? "";
  if (input) input.value = "";
  return { list: button.value, text };
}

// The focus follows a moved item.
export function follow(command) {
  const [field, verb, from, to] = command.split(":");
  if (verb !== "move") return;
  const way = Number(to) < Number(from) ? "up" : "down";
  const buttons = ["up", "down"].map((name) => document.getElementById(`${field}-${to}-${name}`));
  const same = document.getElementById(`${field}-${to}-${way}`);
  (same?.disabled ? buttons.find((button) => !button?.disabled) : same)?.focus();
}

export function startLists(draft, form) {
  document.addEventListener("click", (event) => {
    const link = event.target.closest("[data-toggle-item]");
    if (!link || event.ctrlKey || event.metaKey || event.shiftKey) return;
    event.preventDefault();
    toggle(link.closest("[data-item]"));
    draft.ask({});
  });
  document.addEventListener("keydown", (event) => {
    const adds = event.key === "Enter" && event.target.dataset?.adds;
    if (!adds) return;
    event.preventDefault();
    form.requestSubmit(document.getElementById(adds));
  });
  startDragging((command) => draft.ask({ list: command }));
  document.addEventListener("editor-drawn", showPreviews);
  document.addEventListener("error", sayWhy, true);
  showPreviews();
}

const toggle = (item) => (item.dataset.open === undefined ? (item.dataset.open = "") : delete item.dataset.open);

// Open the item that contains a field, so that the field can be shown.
export async function openFor(path, draft) {
  const [list, number] = path.split(".");
  const item = document.querySelector(`[data-item="${CSS.escape(`${list}.${number}`)}"]`);
  if (!item || item.dataset.open !== undefined) return;
  toggle(item);
  await draft.ask({});
}

// -- dragging -------------------------------------------------------------------------------------------------------

function startDragging(step) {
  /** @type {any} */
  let dragged = null;
  const itemOf = (event) => event.target.closest?.("[data-item]");
  const clear = () => document.querySelectorAll(".is-over").forEach((one) => one.classList.remove("is-over"));
  document.addEventListener("dragstart", (event) => {
    if (!event.target.matches?.(".list-handle")) return;
    dragged = itemOf(event);
    event.dataTransfer.effectAllowed = "move";
    event.dataTransfer.setData("text/plain", dragged.dataset.item);
    event.dataTransfer.setDragImage(dragged, 10, 10);
  });
  document.addEventListener("dragover", (event) => {
    const item = itemOf(event);
    if (!dragged || item?.parentElement !== dragged.parentElement) return;
    event.preventDefault();
    clear();
    item.classList.add("is-over");
  });
  document.addEventListener("drop", (event) => {
    const item = itemOf(event);
    if (!dragged || item?.parentElement !== dragged.parentElement) return;
    event.preventDefault();
    const list = item.closest("[data-list]").dataset.list;
    if (item !== dragged) step(`${list}:move:${dragged.dataset.index}:${item.dataset.index}`);
  });
  document.addEventListener("dragend", () => {
    dragged = null;
    clear();
  });
}

// -- pictures of a folder -------------------------------------------------------------------------------------------

function showPreviews() {
  for (const place of document.querySelectorAll("[data-brief], [data-preview]")) {
    const address = place.dataset.brief ?? place.dataset.preview;
    if (place.dataset.shown === address) continue;
    place.dataset.shown = address;
    if (known.has(address)) place.innerHTML = known.get(address);
    load(address);
  }
}

async function load(address) {
  let html = "";
  try {
    const answer = await fetch(address, HTML);
    html = answer.status < 500 && answer.status !== 403 ? await answer.text() : "";
  } catch {
    return; // the editor itself says that the server cannot be reached
  }
  if (known.get(address) === html) return;
  known.set(address, html);
  for (const place of document.querySelectorAll("[data-brief], [data-preview]")) {
    if (place.dataset.shown === address) place.innerHTML = html;
  }
}

// A picture that cannot be shown is replaced by the sentence that says why.
async function sayWhy(event) {
  const picture = event.target;
  if (!picture.matches?.("img[data-thumbnail]")) return;
  const answer = await fetch(picture.src).catch(() => null);
  const sentence = answer && !answer.ok ? await answer.text() : gettext("This picture cannot be shown.");
  const words = document.createElement("span");
  words.className = "thumbnail-problem";
  words.title = sentence;
  words.textContent = picture.alt ? sentence : "";
  if (!picture.alt) words.innerHTML = '<i class="ti ti-photo-x" aria-hidden="true"></i>';
  picture.replaceWith(words);
}
