// @ts-check
// One picture at a time, with its caption: Enter saves and opens the next, leaving the field saves too.
import { call } from "./calls.js";

const dialog = document.getElementById("viewer");
const part = (name) => document.getElementById(`viewer-${name}`);

export class Viewer {
  /** @param {import("./grid.js").Grid} grid @param {boolean} may */
  constructor(grid, may) {
    this.grid = grid;
    this.may = may;
    this.index = 0;
    this.onChange = () => {};
    const text = part("text");
    part("before").addEventListener("click", () => this.go(-1));
    part("after").addEventListener("click", () => this.go(1));
    part("exclude")?.addEventListener("click", () => this.exclude());
    text.addEventListener("keydown", (event) => {
      if (event.key === "Enter" && !event.shiftKey && !event.isComposing) event.preventDefault(), this.go(1);
    });
    text.addEventListener("blur", () => this.save());
    dialog.addEventListener("keydown", (event) => {
      if (event.target === text) return;
      if (event.key === "ArrowRight") this.go(1);
      else if (event.key === "ArrowLeft") this.go(-1);
    });
    dialog.addEventListener("close", async () => {
      await this.save();
      this.grid.focus(this.index);
      this.onChange();
    });
    grid.onRows = () => { if (dialog.open && !this.row) this.show(); };
  }

  open(index) {
    this.index = index;
    if (!dialog.open) dialog.showModal();
    this.show();
    if (this.may) part("text").focus();
  }

  show() {
    this.row = this.grid.rows.get(this.index);
    const { row } = this;
    part("name").textContent = row?.name ?? gettext("Loading");
    part("facts").textContent = row ? `${row.width} × ${row.height} · ${this.index + 1} / ${this.grid.total}` : "";
    part("text").value = row?.caption ?? "";
    part("text").disabled = !row;
    part("before").disabled = this.index === 0;
    part("after").disabled = this.index >= this.grid.total - 1;
    this.say("", "");
    if (part("exclude")) part("exclude").textContent = row?.excluded ? gettext("Include in training") : gettext("Exclude from training");
    if (!row) return this.grid.load(Math.floor(this.index / 200));
    part("image").src = `${this.address(row)}/file`;
    part("image").alt = row.name;
  }

  address(row) {
    return `${this.grid.address}/${row.id}`;
  }

  /** Opens the next picture at once, so that one can type on; a caption that the server refuses comes back. */
  go(by) {
    const next = this.index + by;
    this.save();
    if (next < 0 || next >= this.grid.total) return;
    this.open(next);
    part("text").setSelectionRange(0, 0);
  }

  /** True unless the server refused the caption; then its picture is shown again with the text. */
  async save() {
    const { row, index } = this;
    const text = part("text").value;
    if (!this.may || !row || text === (row.caption ?? "")) return true;
    const before = row.caption;
    row.caption = text;
    try {
      Object.assign(row, await call(this.address(row), "PATCH", { caption: text }));
      if (row === this.row) this.say("saved", gettext("Saved"));
      this.grid.refill();
      return true;
    } catch (error) {
      row.caption = before;
      this.open(index);
      part("text").value = text;
      this.say("failed", /** @type {Error} */ (error).message);
      return false;
    }
  }

  async exclude() {
    const { row } = this;
    if (!row || !(await this.save())) return;
    try {
      Object.assign(row, await call(this.address(row), "PATCH", { excluded: !row.excluded }));
      this.grid.refill();
      this.show();
    } catch (error) {
      this.say("failed", /** @type {Error} */ (error).message);
    }
  }

  say(state, sentence) {
    part("state").dataset.state = state;
    part("state").textContent = sentence;
  }
}
