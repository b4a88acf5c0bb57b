// A log that follows what is written: appended by byte offset, with carriage returns folded as a terminal does.
import { refresh } from "./live.js";

const MOST_CHARACTERS = 300_000;

export function fold(text) {
  return text
    .replaceAll("\r\n", "\n")
    .split("\n")
    .map((line) => line.replace(/\r+$/, "").split("\r").at(-1))
    .join("\n");
}

class Log {
  constructor(element) {
    this.renew(element);
  }

  // The server wrote the log again.
  renew(element) {
    this.element = element;
    if (!element) return;
    this.offset = Number(element.dataset.offset);
    this.scroll();
  }

  append({ run_id: runId, offset, text }) {
    if (!this.element || this.element.dataset.follow !== runId) return;
    const bytes = new TextEncoder().encode(text).length;
    if (offset + bytes <= this.offset) return; // the server's text holds it already
    if (offset !== this.offset) {
      refresh(); // something in between was missed
      return;
    }
    this.offset += bytes;
    const [last] = this.element.textContent.split("\n").slice(-1);
    const before = this.element.textContent.slice(0, this.element.textContent.length - last.length);
    this.element.textContent = (before + fold(last + text)).slice(-MOST_CHARACTERS);
    this.scroll();
  }

  scroll() {
    if (document.getElementById("follow")?.checked) this.element.scrollTop = this.element.scrollHeight;
  }
}

export const startLog = (element) => new Log(element);
