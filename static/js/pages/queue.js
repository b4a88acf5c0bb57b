// @ts-check
// The queue: runs are dragged to a position, or moved with Alt and the arrow keys; the focus follows them.
import { refresh } from "../live/live.js";

const live = document.getElementById("live");
const news = document.getElementById("queue-news");
const rowOf = (element) => element?.closest?.("[data-queued]");
let moved = null; // the id of the moved row, to be announced when the server has rendered it again
let focused = null;
/** @type {any} */
let dragged = null; // the dragged row, its pointer, and the row before which it would be dropped

// -- keys and buttons -----------------------------------------------------------------------------------------------

document.addEventListener("keydown", (event) => {
  const way = { ArrowUp: "up", ArrowDown: "down" }[event.key];
  const row = rowOf(event.target);
  if (!event.altKey || !way || !row) return;
  event.preventDefault();
  const button = document.getElementById(`${way}-${row.dataset.queued}`);
  if (button && !button.disabled) button.click();
});

live.addEventListener("click", ({ target }) => {
  const button = target.closest("button[name=do]");
  if (!button) return;
  focused = button.id;
  moved = ["up", "down"].includes(button.value) ? rowOf(button).id : null;
});

document.body.addEventListener("htmx:after:swap", () => {
  if (moved) news.textContent = document.getElementById(moved)?.dataset.said ?? "";
  const button = focused && document.getElementById(focused);
  if (button) keepFocus(button);
  moved = focused = null;
});

// At an end of the queue, one of the two buttons is disabled.
function keepFocus(button) {
  const other = button.disabled && [...button.form.elements].find((one) => one.name === "do" && !one.disabled);
  (other || button).focus();
}

// -- dragging, by mouse, finger or pen ------------------------------------------------------------------------------

const EDGE = 72; // pixels from the window's upper or lower edge within which it scrolls
const STEP = 10; // pixels per frame
const rows = () => [...document.querySelectorAll(".queue-row")];

live.addEventListener("pointerdown", (event) => {
  const handle = event.target.closest(".queue-handle");
  if (!handle || event.button || dragged) return;
  event.preventDefault(); // or text would be selected
  handle.setPointerCapture(event.pointerId);
  dragged = { row: rowOf(handle), pointer: event.pointerId, begin: event.pageY, y: event.clientY, before: undefined };
  dragged.row.classList.add("is-dragged");
  dragged.row.parentElement.setAttribute("hx-morph-skip", ""); // a refresh must not replace the dragged row
  requestAnimationFrame(scrollAtTheEnds);
});

live.addEventListener("pointermove", (event) => {
  if (event.pointerId !== dragged?.pointer) return;
  dragged.y = event.clientY;
  follow();
});

live.addEventListener("pointerup", (event) => event.pointerId === dragged?.pointer && drop(true));
live.addEventListener("pointercancel", (event) => event.pointerId === dragged?.pointer && drop(false));
document.addEventListener("keydown", (event) => event.key === "Escape" && dragged && drop(false));

function scrollAtTheEnds() {
  if (!dragged) return;
  const way = dragged.y < EDGE ? -STEP : dragged.y > innerHeight - EDGE ? STEP : 0;
  if (way) {
    scrollBy({ top: way, behavior: "instant" });
    follow();
  }
  requestAnimationFrame(scrollAtTheEnds);
}

// The row follows the pointer, and a line shows its new position: before the first row whose middle is below.
function follow() {
  const others = rows().filter((row) => row !== dragged.row);
  const middle = (row) => row.getBoundingClientRect().top + row.offsetHeight / 2;
  clear();
  dragged.row.style.translate = `0 ${dragged.y + scrollY - dragged.begin}px`;
  dragged.before = others.find((row) => dragged.y < middle(row)) ?? null;
  if (dragged.before) dragged.before.classList.add("is-over");
  else others.at(-1)?.classList.add("is-over-below");
}

function clear() {
  for (const row of rows()) row.classList.remove("is-over", "is-over-below");
}

function drop(meant) {
  const { row, before } = dragged;
  dragged = null;
  clear();
  row.style.translate = "";
  row.classList.remove("is-dragged");
  row.parentElement.removeAttribute("hx-morph-skip");
  if (meant && before !== undefined && before !== row.nextElementSibling) put(row, before);
  else refresh();
}

// Sent like a click on the row's buttons, so that the answer brings the server's order and what it has to say.
function put(row, before) {
  const form = row.querySelector(".queue-buttons");
  const other = Object.assign(document.createElement("input"), { type: "hidden", name: "before", value: before?.dataset.queued ?? "" });
  const button = Object.assign(document.createElement("button"), { type: "submit", name: "do", value: "before", hidden: true });
  row.parentElement.insertBefore(row, before); // at once
  form.append(other, button);
  moved = row.id;
  form.requestSubmit(button);
  button.remove();
  other.remove();
}
