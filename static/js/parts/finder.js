// @ts-check
// The finder: Ctrl K or Cmd K opens it on every page.
import { startCombobox } from "./combobox.js";

const dialog = /** @type {HTMLDialogElement} */ (document.getElementById("finder"));
const form = /** @type {HTMLFormElement} */ (dialog.querySelector("form"));
const search = startCombobox({
  form,
  box: /** @type {HTMLElement} */ (document.getElementById("finder-found")),
  address: form.action,
  headers: { "HX-Request": "true" },
  showsAll: true,
  go(option) {
    dialog.close();
    window.location.assign(/** @type {HTMLAnchorElement} */ (option).href);
  },
});

function open() {
  if (dialog.open) return;
  dialog.showModal();
  search.input.focus();
  search.ask();
}

dialog.addEventListener("close", search.clear);
dialog.addEventListener("click", (event) => event.target === dialog && dialog.close()); // beside the dialog
document.getElementById("finder-open")?.addEventListener("click", (event) => {
  event.preventDefault();
  open();
});
document.addEventListener("keydown", (event) => {
  if (event.key.toLowerCase() !== "k" || !(event.ctrlKey || event.metaKey) || event.altKey || event.shiftKey) return;
  event.preventDefault();
  dialog.open ? dialog.close() : open();
});
