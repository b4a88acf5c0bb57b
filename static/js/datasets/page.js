// @ts-check
// The page of one data set: uploads, the grid with its selection, and one picture at a time.
import { call } from "./calls.js";
import { startCaptions } from "./captions.js";
import { Grid } from "./grid.js";
import { Selection } from "./select.js";
import { startUploads } from "./upload.js";
import { Viewer } from "./viewer.js";

const EDGE = "set-grid-edge"; // the size of the pictures, kept by the browser
const place = document.getElementById("grid");
startUploads(() => (place ? refresh() : location.reload()));

/** @type {Grid} */
let grid;
/** @type {Selection} */
let selection;
if (place) start();

function start() {
  grid = new Grid(place, new URLSearchParams(location.search).toString());
  const viewer = new Viewer(grid, Boolean(place.dataset.may));
  const bar = document.getElementById("grid-selection");
  selection = new Selection(grid, {
    open: (index) => viewer.open(index),
    remove: () => change("remove"),
    show: (count) => {
      bar.classList.toggle("is-used", count > 0);
      bar.querySelector("[data-count]").textContent = String(count);
    },
  });
  viewer.onChange = refreshUndo;
  bar.addEventListener("click", (event) => {
    const does = event.target.closest("[data-do]")?.dataset.do;
    if (does === "all") selection.all();
    else if (does === "clear") selection.clear();
    else if (does) change(does);
  });
  startCaptions(() => [...selection.ids], refresh);
  density();
  filters();
  grid.start().catch((error) => tell(error.message));
  look();
}

function density() {
  const slider = document.getElementById("density");
  const kept = Number(localStorage.getItem(EDGE));
  if (kept) slider.value = String(kept);
  grid.edge = Number(slider.value);
  slider.addEventListener("input", () => {
    localStorage.setItem(EDGE, slider.value);
    grid.resize(Number(slider.value));
  });
}

function filters() {
  const form = document.getElementById("set-filters");
  for (const select of form.querySelectorAll("select")) select.addEventListener("change", () => form.requestSubmit());
  form.addEventListener("formdata", (event) => {
    for (const [name, value] of [...event.formData.entries()]) if (!value) event.formData.delete(name);
  });
}

/** Changes by a shell in a large folder are looked for after the page is shown. */
async function look() {
  const answer = place.dataset.may ? await call(place.dataset.rescan, "POST").catch(() => null) : null;
  if (answer?.pending) tell(interpolate(ngettext("%s file changed in the folder; a worker reads it.", "%s files changed in the folder; a worker reads them.", answer.pending), [answer.pending]));
  else if (answer && answer.version !== Number(place.dataset.version)) refresh();
}

async function change(does) {
  const ids = [...selection.ids];
  if (!ids.length || place.dataset.may !== "all") return;
  const address = `${grid.address}/${does === "remove" ? "remove" : "exclude"}`;
  try {
    await call(address, "POST", { pictures: ids, ...(does === "remove" ? {} : { excluded: does === "exclude" }) });
    selection.clear();
    await refresh();
    grid.focus(grid.focused);
    const texts = { remove: ngettext("%s picture removed; undo brings it back.", "%s pictures removed; undo brings them back.", ids.length), exclude: ngettext("%s picture excluded.", "%s pictures excluded.", ids.length), include: ngettext("%s picture included.", "%s pictures included.", ids.length) };
    tell(interpolate(texts[does], [ids.length]));
  } catch (error) {
    tell(/** @type {Error} */ (error).message);
  }
}

async function refresh() {
  await grid.reload();
  const count = document.getElementById("grid-count");
  count.textContent = interpolate(ngettext("%s picture", "%s pictures", grid.total), [grid.total]);
  refreshUndo();
}

/** The buttons of undo and redo, and the counts, as the server has them now. */
async function refreshUndo() {
  const answer = await call(`/api/datasets/${place.dataset.set}/`).catch(() => null);
  if (!answer) return;
  const [undo, redo] = ["set-undo", "set-redo"].map((id) => document.getElementById(id));
  if (undo) undo.disabled = !answer.can_undo;
  if (redo) redo.disabled = !answer.can_redo;
  document.getElementById("set-total").textContent = String(answer.pictures);
}

function tell(sentence) {
  document.getElementById("grid-count").textContent = sentence;
}
