// @ts-check
// Keys for every page. The shortcut sheet, rendered by the server, lists them: `?` opens it, `g` and a letter follow
// the link of that letter, and any other key presses the element with this `data-key`.

const GO = 1_200; // ms to press the second key
const TYPING = "input, textarea, select, [contenteditable], dialog[open]";
const sheet = document.getElementById("shortcuts");
let goUntil = 0;

const shown = (element) => element?.checkVisibility();

function press(key) {
  if (Date.now() < goUntil) {
    goUntil = 0;
    return sheet.querySelector(`[data-go="${CSS.escape(key)}"]`);
  }
  if (key === "g") goUntil = Date.now() + GO;
  return [...document.querySelectorAll(`[data-key="${CSS.escape(key)}"]`)].find(shown);
}

document.getElementById("shortcuts-open").addEventListener("click", () => sheet.showModal());
document.addEventListener("keydown", (event) => {
  if (event.defaultPrevented || event.altKey || event.ctrlKey || event.metaKey) return;
  if (event.target.closest?.(TYPING)) return;
  if (event.key === "?") {
    event.preventDefault();
    sheet.showModal();
    return;
  }
  const target = press(event.key);
  if (!target) return;
  event.preventDefault();
  target.matches("input, textarea, select") ? target.focus() : target.click();
});
