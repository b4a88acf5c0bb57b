// @ts-check
// The upload of a base model in pieces: it continues after a lost connection, and after a closed tab when the same file
// is chosen again.
import { token } from "../datasets/calls.js";

const PIECE = 16 * 1024 * 1024;
const DELAYS = [0, 500, 1000, 2000, 4000, 8000, 15000, 30000, 30000, 30000];
const FINAL = [400, 401, 403, 404, 409, 413];

const form = document.getElementById("model-upload");
const part = (/** @type {string} */ name) => document.getElementById(`model-upload-${name}`);
/** @type {any} */
let upload = null;

/** @param {string} text */
function say(text) {
  part("said").textContent = text;
}

/** @param {boolean} isSending */
function show(isSending) {
  part("bar").hidden = part("cancel").hidden = !isSending;
  part("file").disabled = isSending;
}

/** The server's sentence, or that the line broke. */
function reason(error) {
  try {
    return JSON.parse(error.originalResponse?.getBody()).detail;
  } catch {
    return gettext("The connection was lost: choose the file again to continue.");
  }
}

/** @param {File} file */
async function send(file) {
  const began = Date.now();
  let before = -1;
  upload = new tus.Upload(file, {
    endpoint: form.dataset.endpoint,
    chunkSize: PIECE,
    retryDelays: DELAYS,
    removeFingerprintOnSuccess: true,
    metadata: { filename: file.name },
    onBeforeRequest: (request) => { request.setHeader("X-CSRFToken", token()); },
    onShouldRetry: (error) => !FINAL.includes(error.originalResponse?.getStatus() ?? 0),
    onProgress: (sent, whole) => {
      if (before < 0) before = sent;
      const speed = (sent - before) / Math.max(1, Date.now() - began) / 1000;
      part("bar").value = whole ? sent / whole : 0;
      say(interpolate(gettext("%(sent)s of %(whole)s MB, %(speed)s MB/s"), { sent: Math.round(sent / 1e6), whole: Math.round(whole / 1e6), speed: speed.toFixed(1) }, true));
    },
    onError: (error) => { show(false); say(reason(error)); },
    onSuccess: () => { show(false); location.reload(); },
  });
  show(true);
  const [previous] = await upload.findPreviousUploads();
  if (previous) upload.resumeFromPreviousUpload(previous);
  upload.start();
}

if (form) {
  part("file").addEventListener("change", (event) => {
    const [file] = event.target.files;
    if (file) send(file);
  });
  part("cancel").addEventListener("click", () => {
    upload?.abort(true).catch(() => {});
    show(false);
    say(gettext("Cancelled."));
  });
  addEventListener("beforeunload", (event) => { if (!part("bar").hidden) event.preventDefault(); });
}
