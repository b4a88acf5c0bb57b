// @ts-check
// The table of runs: the selection, filters that apply at once, and short addresses.
const bulk = document.getElementById("bulk");
const count = document.getElementById("bulk-count");
const all = document.getElementById("bulk-all");
const boxes = () => [...document.querySelectorAll('input[name="run"][form="bulk"]')];
/** @type {any} */
let last = null; // the last ticked box, where a range with Shift begins

function show() {
  const chosen = boxes().filter((box) => box.checked).length;
  const whole = document.getElementById("check-page");
  bulk.classList.toggle("is-open", chosen > 0 || Boolean(all?.checked));
  count.textContent = all?.checked ? "" : chosen === 1 ? count.dataset.one : count.dataset.many.replace("%s", chosen);
  const compare = bulk.querySelector("[value=compare]");
  compare.disabled = Boolean(all?.checked) || chosen < 2 || chosen > Number(compare.dataset.most);
  if (!whole) return;
  whole.checked = chosen > 0 && chosen === boxes().length;
  whole.indeterminate = chosen > 0 && !whole.checked;
}

function tick(wanted, some = boxes()) {
  for (const box of some) box.checked = wanted;
  if (!wanted && all) all.checked = false;
  show();
}

document.addEventListener("click", ({ target, shiftKey }) => {
  if (target.id === "check-page") tick(target.checked);
  else if (target.closest("#bulk-clear")) tick(false);
  else if (target.name === "run") {
    const places = boxes();
    if (shiftKey && places.includes(last)) {
      const [from, to] = [places.indexOf(last), places.indexOf(target)].sort((a, b) => a - b);
      tick(target.checked, places.slice(from, to + 1));
    }
    last = target;
    show();
  } else if (target === all) show();
});

// Escape cancels the editing of a row.
document.addEventListener("keydown", (event) => {
  if (event.key === "Escape") event.target.closest?.(".row-form")?.querySelector("[data-cancel]").click();
});

const filters = document.getElementById("filters");
filters.addEventListener("change", ({ target }) => "submits" in target.dataset && filters.requestSubmit());
// Empty fields are left out of the address.
filters.addEventListener("submit", () => {
  for (const input of filters.elements) if (input.name && !input.value) input.disabled = true;
});
addEventListener("pageshow", () => {
  for (const input of filters.elements) input.disabled = false;
  show();
});

document.body.addEventListener("htmx:after:swap", () => {
  document.querySelector(".row-form [autofocus]:not([data-seen])")?.focus();
  for (const input of document.querySelectorAll(".row-form [autofocus]")) input.dataset.seen = "";
  show();
});
show();
