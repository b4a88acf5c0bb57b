// @ts-check
// Five seconds to undo: a form (or a button of one) with `data-undo` is sent only after them, or at once when the page is left.

const SECONDS = 5;
/** @type {Map<HTMLFormElement, (leaving?: boolean) => void>} what waits, with the function that sends it */
const waiting = new Map();

/** @type {Set<HTMLFormElement>} */
const passing = new Set();

/** @param {string} text @param {() => void} undo */
function toast(text, undo) {
  const alert = document.createElement("div");
  alert.className = "alert alert-info undo";
  alert.setAttribute("role", "status");
  alert.dataset.dressed = ""; // it leaves with the action
  const words = Object.assign(document.createElement("div"), { className: "alert-text", textContent: text });
  const button = Object.assign(document.createElement("button"), { type: "button", className: "btn btn-sm", textContent: gettext("Undo") });
  button.addEventListener("click", undo);
  const bar = document.createElement("progress");
  Object.assign(bar, { className: "undo-bar", max: SECONDS, value: SECONDS });
  bar.setAttribute("aria-hidden", "true");
  alert.append(words, button, bar);
  document.getElementById("messages")?.append(alert);
  button.focus({ preventScroll: true });
  return { alert, bar };
}

/** @param {HTMLFormElement} form @param {HTMLElement | null} submitter @param {string} text */
function hold(form, submitter, text) {
  if (waiting.has(form)) return;
  const body = new FormData(form, submitter);
  const { alert, bar } = toast(text, () => end());
  let left = SECONDS;
  const timer = setInterval(() => ((bar.value = --left), left > 0 || send()), 1_000);

  function end() {
    clearInterval(timer);
    waiting.delete(form);
    alert.remove();
  }
  function send(leaving = false) {
    end();
    if (leaving || !form.isConnected) return void fetch(form.action, { method: "POST", body, keepalive: true });
    passing.add(form);
    form.requestSubmit(submitter);
  }
  waiting.set(form, send);
}

document.addEventListener(
  "submit",
  (event) => {
    const form = /** @type {HTMLFormElement} */ (event.target);
    const { submitter } = /** @type {SubmitEvent} */ (event);
    const text = submitter?.dataset.undo ?? form.dataset.undo;
    if (text === undefined || passing.delete(form)) return;
    event.preventDefault();
    event.stopImmediatePropagation();
    hold(form, submitter, text);
  },
  true,
);
addEventListener("pagehide", () => {
  for (const send of [...waiting.values()]) send(true);
});
