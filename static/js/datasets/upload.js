// @ts-check
// Uploads in pieces by the tus protocol: each file continues after a lost connection, and after a closed tab when the
// same file is chosen again. Contents that the set has already are not sent.
import { call, token } from "./calls.js";
import { fromInput, fromTransfer } from "./gather.js";

const AT_ONCE = 3;
const PIECE = 4 * 1024 * 1024;
const HASHED = 200_000_000; // bytes up to which a file is compared by its content before it is sent
const SHOWN = 200; // lines of the list
const DELAYS = [0, 500, 1000, 2000, 4000, 8000, 15000, 30000, 30000, 30000];
const POLL = 1000;
const OPEN = ["receiving", "waiting", "working"];

const form = document.getElementById("upload");
const list = document.getElementById("upload-list");
const part = (name) => document.getElementById(`upload-${name}`);

/**
 * @typedef {{ file: File, path: string, state: string, said: string, sent: number, row: HTMLElement | null, tus: any,
 *   hash: string, batch: string, id: string, stop?: () => void }} Item
 */
/** @type {Item[]} */
let items = [];
let active = 0;
let polling = false;
/** @type {() => void} */
let onChange = () => {};
/** @type {(chosen: import("./gather.js").Chosen[]) => Promise<any>} what must be there before the first file is sent */
let prepare = async () => {};

export function startUploads(changed, prepared = prepare) {
  if (!form) return;
  onChange = changed;
  prepare = prepared;
  const drop = part("drop");
  addEventListener("dragover", (event) => {
    if (!event.dataTransfer?.types.includes("Files")) return;
    event.preventDefault();
    drop.classList.add("is-over");
  });
  addEventListener("dragleave", (event) => { if (!event.relatedTarget) drop.classList.remove("is-over"); });
  addEventListener("drop", async (event) => {
    if (!event.dataTransfer?.types.includes("Files")) return;
    event.preventDefault();
    drop.classList.remove("is-over");
    add(await fromTransfer(event.dataTransfer));
  });
  addEventListener("paste", async (event) => { if (event.clipboardData?.files.length) add(await fromTransfer(event.clipboardData)); });
  for (const name of ["files", "folder", "camera"]) {
    part(name).addEventListener("change", (event) => {
      add(fromInput(event.target));
      event.target.value = "";
    });
  }
  form.addEventListener("submit", (event) => event.preventDefault());
  part("cancel").addEventListener("click", cancelAll);
  part("retry").addEventListener("click", retry);
  part("close").addEventListener("click", () => { items = []; show(); });
  addEventListener("beforeunload", (event) => { if (items.some(isOpen)) event.preventDefault(); });
  addEventListener("online", retry);
}

const isOpen = (item) => ["waits", "sends"].includes(item.state);

// -- what is sent ---------------------------------------------------------------------------------------------------

/** Pictures first, so that captions and masks find them; zip files last. @param {Item} item */
const order = ({ path }) => (/\.zip$/i.test(path) ? 2 : /\.(txt|caption)$|-masklabel\.\w+$/i.test(path) ? 1 : 0);

/** @param {import("./gather.js").Chosen[]} chosen */
async function add(chosen) {
  const batch = crypto.randomUUID?.() ?? String(Math.random()).slice(2);
  const fresh = chosen
    .filter(({ path }) => !path.split("/").some((one) => one.startsWith(".") || one === "__MACOSX"))
    .map(({ file, path }) => ({ file, path, state: "waits", said: "", sent: 0, row: null, tus: null, hash: "", batch, id: "" }));
  const whole = fresh.reduce((sum, { file }) => sum + file.size, 0);
  items.push(...fresh);
  for (const item of fresh) refuse(item, whole);
  items.sort((a, b) => order(a) - order(b));
  show();
  try {
    await prepare(chosen);
  } catch (/** @type {any} */ error) {
    for (const item of fresh.filter(isOpen)) settle(item, "failed", said(error));
    return show();
  }
  while (active < AT_ONCE && next()) work();
}

/** Said before a byte is sent: what is no picture, too large, or more than the disk has space for. */
function refuse(item, whole) {
  const { free, mostPicture, mostArchive, endings } = form.dataset;
  const ending = `.${item.path.split(".").pop().toLowerCase()}`;
  const isText = [".txt", ".caption"].includes(ending);
  const isZip = ending === ".zip";
  const most = Number(isZip ? mostArchive : mostPicture);
  if (!isText && !isZip && !endings.split(",").includes(ending)) settle(item, "refused", gettext("Not a picture, a caption or a zip file"));
  else if (item.file.size > most) settle(item, "refused", interpolate(gettext("Larger than %s MB"), [Math.floor(most / 1e6)]));
  else if (!item.file.size && !isText) settle(item, "refused", gettext("The file is empty"));
  else if (whole > Number(free)) settle(item, "refused", interpolate(gettext("All files have %s MB, and the disk has less space"), [Math.ceil(whole / 1e6)]));
}

/** The next file to send: texts wait until the pictures of all batches are there. */
function next() {
  const waiting = items.find((item) => item.state === "waits");
  if (!waiting) return null;
  return items.some((item) => item.state === "sends" && order(item) < order(waiting)) ? null : waiting;
}

async function work() {
  const item = next();
  if (!item) return;
  active += 1;
  item.state = "sends";
  show();
  try {
    const name = await known(item);
    if (name) settle(item, "duplicate", interpolate(gettext("In the set already: %s"), [name]));
    else await send(item);
  } catch (error) {
    if (item.state === "sends") settle(item, "failed", said(error));
  } finally {
    active -= 1;
    show();
    while (active < AT_ONCE && next()) work();
    if (!items.some(isOpen)) onChange();
  }
}

/** The picture that has the file's content already. Browsers hash only on localhost and with https. */
async function known(item) {
  if (order(item) || item.file.size > HASHED || !crypto.subtle) return "";
  const digest = await crypto.subtle.digest("SHA-256", await item.file.arrayBuffer());
  item.hash = [...new Uint8Array(digest)].map((byte) => byte.toString(16).padStart(2, "0")).join("");
  const answer = await call(form.dataset.known, "POST", { sha256: [item.hash] }).catch(() => null);
  return answer?.known[item.hash] ?? ""; // without an answer the server notices it when the file has arrived
}

/** @param {Item} item @returns {Promise<void>} */
function send(item) {
  return new Promise((resolve, reject) => {
    const upload = new tus.Upload(item.file, {
      endpoint: form.dataset.endpoint,
      chunkSize: PIECE,
      retryDelays: DELAYS,
      removeFingerprintOnSuccess: true,
      metadata: { filename: item.path, batch: item.batch, keep_original: String(part("original").checked) },
      onBeforeRequest: (request) => { request.setHeader("X-CSRFToken", token()); },
      onShouldRetry: (error) => ![400, 401, 403, 404, 413, 507].includes(error.originalResponse?.getStatus() ?? 0),
      onProgress: (sent) => { item.sent = sent; sum(); },
      onError: reject,
      onSuccess: () => ask(upload.url, item).then(resolve, reject),
    });
    item.tus = upload;
    item.stop = () => reject(new Error(gettext("Cancelled")));
    upload.findPreviousUploads().then((previous) => {
      if (previous.length) upload.resumeFromPreviousUpload(previous[0]);
      upload.start();
    }, reject);
  });
}

/** What became of the file. */
async function ask(address, item) {
  const answer = await call(address);
  item.id = answer.id;
  take(item, answer);
}

function take(item, answer) {
  if (answer.status === "refused") settle(item, "refused", answer.detail);
  else if (answer.status === "duplicate") settle(item, "duplicate", answer.detail);
  else if (answer.status === "done") settle(item, "done", [answer.detail, ...answer.refused.map((one) => `${one.name}: ${one.detail}`)].filter(Boolean).join(" · "));
  else {
    settle(item, "read", gettext("A worker reads it"));
    if (!polling) poll();
  }
}

/** Ask for the files that a worker converts or unpacks until all are settled. */
async function poll() {
  polling = true;
  while (items.some((item) => item.state === "read")) {
    await new Promise((resolve) => setTimeout(resolve, POLL));
    for (const batch of new Set(items.filter((item) => item.state === "read").map((item) => item.batch))) {
      const answer = await call(`${form.dataset.uploads}?batch=${batch}`).catch(() => ({ results: [] }));
      const by = new Map(answer.results.map((one) => [one.id, one]));
      for (const item of items) if (item.state === "read" && by.has(item.id) && !OPEN.includes(by.get(item.id).status)) take(item, by.get(item.id));
    }
    show();
  }
  polling = false;
  onChange();
}

const said = (error) => {
  const body = error.originalResponse?.getBody();
  try {
    return JSON.parse(body).detail;
  } catch {
    return error.originalRequest ? gettext("The connection was lost: retry to continue") : error.message;
  }
};

function settle(item, state, sentence = "") {
  item.state = state;
  item.said = sentence;
  item.sent = item.file.size;
}

function cancelAll() {
  for (const item of items.filter(isOpen)) {
    item.tus?.abort(true).catch(() => {});
    settle(item, "failed", gettext("Cancelled"));
    item.stop?.();
  }
  show();
}

function retry() {
  for (const item of items.filter((one) => one.state === "failed")) Object.assign(item, { state: "waits", said: "", sent: 0 });
  show();
  while (active < AT_ONCE && next()) work();
}

// -- what is shown --------------------------------------------------------------------------------------------------

const WORDS = { waits: gettext("waits"), sends: gettext("is sent"), done: gettext("taken in"), duplicate: gettext("in the set already"), refused: gettext("refused"), failed: gettext("failed"), read: gettext("is read") };
const FIRST = { sends: 0, failed: 1, refused: 2, read: 3, waits: 4, duplicate: 5, done: 6 };

function show() {
  part("state").hidden = !items.length;
  const shown = [...items].sort((a, b) => FIRST[a.state] - FIRST[b.state]).slice(0, SHOWN);
  list.replaceChildren(...shown.map(line));
  part("retry").hidden = !items.some((item) => item.state === "failed");
  part("cancel").hidden = !items.some(isOpen);
  part("close").hidden = items.some(isOpen);
  sum();
}

function line(item) {
  item.row ??= document.createElement("li");
  if (!item.row.firstChild) {
    item.row.innerHTML = '<span class="upload-name"></span><span class="upload-said"></span><button class="btn btn-sm" type="button" hidden></button>';
    item.row.children[0].textContent = item.path;
    item.row.children[0].title = item.path;
    item.row.children[2].textContent = gettext("Cancel");
    item.row.children[2].addEventListener("click", () => {
      item.tus?.abort(true).catch(() => {});
      settle(item, "failed", gettext("Cancelled"));
      item.stop?.();
      show();
    });
  }
  item.row.dataset.state = item.state;
  item.row.children[1].textContent = item.said || WORDS[item.state];
  item.row.children[2].hidden = !isOpen(item);
  return item.row;
}

function sum() {
  const whole = items.reduce((bytes, { file }) => bytes + file.size, 0);
  const sent = items.reduce((bytes, item) => bytes + item.sent, 0);
  const count = (state) => items.filter((item) => item.state === state).length;
  part("progress").value = whole ? sent / whole : 1;
  const parts = [interpolate(gettext("%s of %s files"), [items.filter((item) => !isOpen(item)).length, items.length]), `${(sent / 1e6).toFixed(1)} / ${(whole / 1e6).toFixed(1)} MB`];
  for (const state of ["duplicate", "refused", "failed", "read"]) if (count(state)) parts.push(`${count(state)} ${WORDS[state]}`);
  part("sum").textContent = parts.join(" · ");
  for (const item of items) {
    if (item.state === "sends" && item.row) item.row.children[1].textContent = `${Math.round((100 * item.sent) / Math.max(1, item.file.size))} %`;
  }
}
