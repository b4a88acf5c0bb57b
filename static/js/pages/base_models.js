// @ts-check
// Base models: the bar and the words of each fetch follow the news; a change of its status renders the list again.
import { refresh } from "../live/live.js";
import { durationText } from "../live/texts.js";

/** Bytes as in web/templatetags/formats.py. */
const sizeText = (/** @type {number} */ count) => {
  if (count >= 1e9) return `${(count / 1e9).toFixed(1)} GB`;
  if (count >= 5e5) return `${Math.max(1, Math.round(count / 1e6))} MB`;
  return `${Math.max(0, Math.round(count / 1000))} kB`;
};

/** @param {{phase: string, detail: string, bytes_done: number, bytes_total: number, bytes_per_second: number, seconds_left: number | null}} news */
function words(news) {
  if (news.detail) return news.detail;
  const facts = { done: sizeText(news.bytes_done), total: sizeText(news.bytes_total), speed: sizeText(news.bytes_per_second) };
  if (news.phase === "checking") return interpolate(gettext("%(done)s of %(total)s, checking the hash"), facts, true);
  if (news.seconds_left == null) return interpolate(gettext("%(done)s of %(total)s"), facts, true);
  const left = durationText(news.seconds_left);
  return interpolate(gettext("%(done)s of %(total)s, %(speed)s/s, %(left)s left"), { ...facts, left }, true);
}

document.addEventListener("site-message", (event) => {
  const { type, data } = /** @type {CustomEvent} */ (event).detail;
  if (type !== "model_fetch") return;
  const row = document.getElementById(`fetch-${data.id}`);
  if (!row || row.dataset.status !== data.status) return refresh();
  const bar = row.querySelector("progress");
  if (bar && data.bytes_total) bar.value = Math.min(1, data.bytes_done / data.bytes_total);
  const text = row.querySelector("[data-words]");
  if (text) text.textContent = words(data);
});
