// @ts-check
// Changes to many captions: previewed first, then made as one version; the set's own tags as chips and for completion.
import { call } from "./calls.js";

const CHIPS = 80;
const SHOWN = 50;
const part = (name) => document.getElementById(`captions-${name}`);

/** @param {() => number[]} selected @param {() => Promise<void>} changed */
export function startCaptions(selected, changed) {
  const box = document.getElementById("captions");
  if (!box) return;
  const form = part("form");
  const { address, tags } = box.dataset;

  const body = (preview) => {
    const ids = selected();
    const data = new FormData(form);
    const facts = { action: data.get("action"), text: data.get("text"), replacement: data.get("replacement") ?? "", match_case: data.has("match_case"), preview };
    return ids.length ? { ...facts, pictures: ids } : facts;
  };
  const forget = () => {
    part("apply").disabled = true;
    part("preview").hidden = true;
    part("said").textContent = "";
    const replaces = form.elements.namedItem("action").value.startsWith("replace");
    form.querySelector("[data-for=replace]").hidden = !replaces;
  };
  const attempt = async (preview) => {
    try {
      return await call(address, "POST", body(preview));
    } catch (error) {
      part("said").textContent = /** @type {Error} */ (error).message;
      return null;
    }
  };

  form.addEventListener("input", forget);
  form.addEventListener("submit", async (event) => {
    event.preventDefault();
    const answer = await attempt(true);
    if (!answer) return;
    const among = selected().length ? gettext("among the selected pictures") : gettext("among all pictures");
    part("said").textContent = `${interpolate(ngettext("%s caption changes", "%s captions change", answer.count), [answer.count])} ${among}`;
    part("apply").disabled = !answer.count;
    part("preview").hidden = !answer.count;
    part("preview").querySelector("tbody").replaceChildren(...answer.changes.slice(0, SHOWN).map(line));
  });
  part("apply").addEventListener("click", async () => {
    part("apply").disabled = true;
    const answer = await attempt(false);
    if (!answer) return;
    forget();
    part("said").textContent = interpolate(ngettext("%s caption was changed; undo takes it back.", "%s captions were changed; undo takes them back.", answer.count), [answer.count]);
    await Promise.all([changed(), loadTags()]);
  });
  box.addEventListener("toggle", () => { if (box.open) loadTags(); });
  part("chips").addEventListener("click", (event) => {
    const chip = event.target.closest("button");
    if (chip) part("text").value = chip.dataset.tag, part("text").focus(), forget();
  });
  forget();

  async function loadTags() {
    const answer = await call(tags).catch(() => ({ tags: [] }));
    part("tags").replaceChildren(...answer.tags.map(({ tag }) => Object.assign(document.createElement("option"), { value: tag })));
    part("chips").replaceChildren(...answer.tags.slice(0, CHIPS).map(chip));
  }
}

function chip({ tag, count }) {
  const button = document.createElement("button");
  button.type = "button";
  button.className = "tag-chip";
  button.dataset.tag = tag;
  button.textContent = `${tag} ${count}`;
  return button;
}

function line({ name, before, after }) {
  const row = document.createElement("tr");
  for (const text of [name, before ?? "–", after]) {
    const cell = document.createElement("td");
    cell.className = "text-break";
    cell.textContent = text;
    row.append(cell);
  }
  return row;
}
