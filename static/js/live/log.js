// @ts-check
// A log that follows the file: appended by byte offset, with carriage returns folded as in a terminal.
import { fold } from "./folding.js";
import { refresh } from "./live.js";

const MOST_CHARACTERS = 300_000;
// The same as in training/logs/search.py.
/** @type {Record<string, RegExp>} */
const LEVELS = { error: /ERROR|CRITICAL|FATAL|Traceback \(most recent call last\)|Error:|Exception:/, warning: /WARN|Warning:/ };

// A line as the page shows it: plain, or marked as a warning or an error.
/** @param {string} line */
function shown(line) {
  const level = Object.keys(LEVELS).find((name) => LEVELS[name].test(line));
  if (!level) return new Text(line);
  return Object.assign(document.createElement("span"), { className: `log-${level}`, textContent: line });
}

class Log {
  offset = 0; // in bytes; the next part begins here

  /** @param {any} element */
  constructor(element) {
    this.renew(element);
  }

  /**
   * The server wrote the log again.
   * @param {any} element
   */
  renew(element) {
    const isNew = element !== this.element;
    this.element = element;
    if (!element) return;
    this.offset = Number(element.dataset.offset);
    if (isNew) element.scrollTop = element.scrollHeight; // users look for the newest lines first
    else this.scroll();
  }

  /** @param {{run_id: string, offset: number, text: string}} news */
  append({ run_id: runId, offset, text }) {
    if (!this.element || this.element.dataset.follow !== runId) return;
    const bytes = new TextEncoder().encode(text).length;
    if (offset + bytes <= this.offset) return; // the server's text contains this part already
    if (offset !== this.offset) {
      refresh(); // a part in between was missed
      return;
    }
    this.offset += bytes;
    const lines = fold(this.takeLast() + text).match(/[^\n]*\n|[^\n]+$/g) ?? [];
    this.element.append(...lines.map(shown));
    this.shorten();
    this.scroll();
  }

  // The unfinished last line, which the next part may overwrite.
  takeLast() {
    const end = this.element.lastChild;
    if (!end) return "";
    const begin = end.textContent.lastIndexOf("\n") + 1;
    const last = end.textContent.slice(begin);
    if (last && !begin) end.remove();
    else if (last) end.textContent = end.textContent.slice(0, begin);
    return last;
  }

  shorten() {
    let length = this.element.textContent.length;
    for (; length > MOST_CHARACTERS && this.element.childNodes.length > 1; this.element.firstChild.remove()) {
      length -= this.element.firstChild.textContent.length;
    }
  }

  scroll() {
    if (document.getElementById("follow")?.checked) this.element.scrollTop = this.element.scrollHeight;
  }
}

export const startLog = (/** @type {any} */ element) => new Log(element);
