// @ts-check
// Messages and the disk notice: each can be closed, and a message of success leaves by itself.

const STAYS = 10_000; // ms that a message of success is shown; it stays while the pointer or the focus is on it
const DAY = 86_400_000; // ms that a dismissed disk notice stays away, unless it says something else
const DISMISSED = "disk-notice.dismissed";

const messages = /** @type {HTMLElement} */ (document.getElementById("messages"));
const disk = document.getElementById("disk-notice");

/** @param {HTMLElement} alert @param {() => void} close */
function addClose(alert, close) {
  if (alert.querySelector(".alert-close")) return;
  const button = document.createElement("button");
  button.type = "button";
  button.className = "btn-close alert-close";
  button.setAttribute("aria-label", gettext("Close"));
  button.addEventListener("click", close);
  alert.append(button);
}

/** @param {HTMLElement} alert */
function leaveSoon(alert) {
  if (alert.matches(".alert-danger, .alert-warning")) return;
  const leave = () => (alert.matches(":hover, :focus-within") || document.hidden ? setTimeout(leave, STAYS / 5) : alert.remove());
  setTimeout(leave, STAYS);
}

function dressMessages() {
  for (const alert of /** @type {NodeListOf<HTMLElement>} */ (messages.querySelectorAll(".alert"))) {
    if (alert.dataset.dressed !== undefined) continue;
    alert.dataset.dressed = "";
    addClose(alert, () => alert.remove());
    leaveSoon(alert);
  }
}

function dressDiskNotice() {
  const alert = /** @type {HTMLElement | null} */ (disk?.querySelector("[data-notice]") ?? null);
  if (!alert) return;
  const [kind, at] = (localStorage.getItem(DISMISSED) ?? "").split("\n");
  alert.hidden = kind === alert.dataset.notice && Date.now() - Number(at) < DAY;
  addClose(alert, () => {
    localStorage.setItem(DISMISSED, `${alert.dataset.notice}\n${Date.now()}`);
    alert.hidden = true;
  });
}

new MutationObserver(dressMessages).observe(messages, { childList: true });
dressMessages();
if (disk) {
  new MutationObserver(dressDiskNotice).observe(disk, { childList: true });
  dressDiskNotice();
}
