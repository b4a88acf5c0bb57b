// @ts-check
// Ticked samples: their number, ranges with Shift, and ticks that stay when a part of the page is rendered again.
const ticked = new Set();
/** @type {any} */
let last = null;
const checks = () => [...document.querySelectorAll(".thumb-check")];

function show() {
  const bar = document.getElementById("selection");
  if (!bar) return;
  bar.classList.toggle("is-used", ticked.size > 0);
  bar.querySelector("[data-count]").textContent = ticked.size;
  bar.querySelector("[value=compare]").disabled = ticked.size !== 2;
  document.documentElement.classList.toggle("is-selecting", ticked.size > 0);
}

function tick(check, on) {
  check.checked = on;
  if (on) ticked.add(check.value);
  else ticked.delete(check.value);
}

document.addEventListener("click", (event) => {
  const check = event.target.closest(".thumb-check");
  if (event.target.closest("#selection [data-clear]")) checks().forEach((one) => tick(one, false)), ticked.clear();
  if (check) {
    const all = checks();
    const [from, to] = [all.indexOf(last), all.indexOf(check)].sort((a, b) => a - b);
    const range = event.shiftKey && from >= 0 ? all.slice(from, to + 1) : [check];
    for (const one of range) tick(one, check.checked);
    last = check;
  }
  show();
});

export const isTicked = (id) => ticked.has(id);

function again() {
  for (const check of checks()) check.checked = ticked.has(check.value);
  show();
}
document.body.addEventListener("htmx:after:swap", again);
addEventListener("pageshow", () => {
  for (const check of checks()) tick(check, check.checked); // the browser restores them when the user goes back
  show();
});
