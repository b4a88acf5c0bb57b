// @ts-check
// The files behind a drop, a paste or an input, with their paths within what was chosen.

/** @typedef {{ file: File, path: string }} Chosen */

/** @param {DataTransfer} data @returns {Promise<Chosen[]>} */
export async function fromTransfer(data) {
  const entries = [...data.items].map((item) => (item.kind === "file" ? item.webkitGetAsEntry?.() : null));
  const files = [...data.files]; // the list is emptied as soon as this function waits
  if (!entries.some((entry) => entry?.isDirectory)) return files.map((file) => ({ file, path: named(file) }));
  /** @type {Chosen[]} */
  const found = [];
  for (const entry of entries) if (entry) await walk(entry, "", found);
  return found;
}

/** @param {HTMLInputElement} input @returns {Chosen[]} */
export const fromInput = (input) => [...(input.files ?? [])].map((file) => ({ file, path: withoutTop(file.webkitRelativePath) || named(file) }));

/** A pasted picture has no name of its own: every one is `image.png`. @param {File} file */
function named(file) {
  return file.name === "image.png" ? `pasted-${new Date().toISOString().replace(/[:.]/g, "-")}.png` : file.name;
}

/** The path without the chosen folder itself. @param {string} path */
const withoutTop = (path) => path.split("/").slice(1).join("/");

/** @param {any} entry @param {string} folder @param {Chosen[]} found */
async function walk(entry, folder, found) {
  if (entry.isFile) {
    const file = await new Promise((resolve, reject) => entry.file(resolve, reject));
    found.push({ file, path: folder + entry.name });
    return;
  }
  const reader = entry.createReader();
  const within = entry.fullPath.split("/").filter(Boolean).length > 1 ? `${folder}${entry.name}/` : folder;
  for (;;) {
    const some = await new Promise((resolve, reject) => reader.readEntries(resolve, reject)); // at most 100 at once
    if (!some.length) return;
    for (const one of some) await walk(one, within, found);
  }
}
