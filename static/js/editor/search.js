// @ts-check
// Search for a field of the editor.
import { startCombobox } from "../parts/combobox.js";

export function startSearch(form, jumpTo) {
  const box = document.getElementById("editor-found");
  const go = (/** @type {HTMLElement} */ { dataset: { target, tab, why } }) => tab && jumpTo(target, tab, target, why);
  const search = startCombobox({ form, box, address: form.dataset.address, go });
  form.addEventListener("focusout", (event) => form.contains(event.relatedTarget) || search.close());
  search.input.addEventListener("keydown", (event) => {
    if (event.key !== "Escape") return;
    search.clear();
    search.input.blur();
  });
}
