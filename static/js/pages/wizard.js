// @ts-check
// The wizard: typing into a field that belongs to a card chooses this card; dropped pictures become a data set; and the
// caption that is offered follows the words that are typed.
import { call } from "../datasets/calls.js";
import { startUploads } from "../datasets/upload.js";

document.addEventListener("input", (event) => {
  const value = event.target.dataset.chooses;
  const card = value && event.target.form.querySelector(`input[type="radio"][value="${value}"]`);
  if (card && event.target.value) card.checked = true;
});

// -- pictures ----------------------------------------------------------------------------------------------------------

const upload = document.getElementById("upload");
const form = document.getElementById("wizard-form");
/** @type {Promise<any> | null} */
let making = null;

/** A name that no other set has: the dropped folder's, or the time. @param {{ path: string, file: File }[]} chosen */
function nameOf(chosen) {
  const folder = chosen[0]?.file.webkitRelativePath.split("/")[0];
  const time = new Date().toLocaleString("sv").replace(/:/g, ".");
  return `${(folder || gettext("Pictures")).replace(/[^\p{L}\p{N} ._-]/gu, "")} ${time}`.trim();
}

async function makeSet(chosen) {
  const set = await call(upload.dataset.sets, "POST", { name: nameOf(chosen) });
  const address = `${upload.dataset.sets.replace(/\/$/, "")}/${set.id}`;
  Object.assign(upload.dataset, { endpoint: `${address}/uploads`, known: `${address}/known`, uploads: `${address}/uploads` });
  return set;
}

function prepare(chosen) {
  making ??= makeSet(chosen).catch((error) => {
    making = null;
    throw error;
  });
  return making;
}

async function taken() {
  const set = await making;
  if (!set) return;
  form.elements.namedItem("folder").value = set.folder;
  const select = form.elements.namedItem("data_set");
  if (select) select.value = "";
  form.querySelector(".btn-primary").focus();
}

if (upload) startUploads(taken, prepare);

// -- the caption -------------------------------------------------------------------------------------------------------

const caption = /** @type {HTMLTextAreaElement | null} */ (document.getElementById("caption"));
const offered = /** @type {HTMLInputElement | null} */ (document.getElementById("offered-caption"));

function offerCaption() {
  if (!caption || !offered) return;
  const card = form.querySelector('input[name="kind"]:checked');
  const classWord = form.elements.namedItem("class_word").value.trim() || (card?.dataset.usual ?? "");
  const subject = `${form.elements.namedItem("word").value.trim()} ${classWord}`.trim();
  const text = ["style", "other"].includes(card?.value) ? subject : `a photo of ${subject}`;
  if (caption.value === offered.value) caption.value = text;
  offered.value = text;
}

if (caption) form.addEventListener("input", (event) => event.target !== caption && offerCaption());
