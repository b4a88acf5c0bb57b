// @ts-check
// Keys for every page. What they do is written in the sheet, which the server made: `?` opens it, `g` and a letter
// follow its link with that letter, and any other key presses what carries it as `data-key`.

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
