// @ts-check
// Pictures chosen in the grid: by mouse with Ctrl and Shift, by a rubber band, by keyboard, and by their ticks.
/** @typedef {import("./grid.js").Grid} Grid */

const MOVED = 6; // pixels from which a pressed mouse draws a band
const EDGE = 40; // pixels from the window's edge at which a band scrolls

export class Selection {
  /** @param {Grid} grid @param {{ open: (index: number) => void, remove: () => void, show: (count: number) => void }} does */
  constructor(grid, does) {
    this.grid = grid;
    this.does = does;
    /** @type {Set<number>} ids, which stay when the order changes */
    this.ids = new Set();
    this.anchor = 0;
    grid.isSelected = (index) => this.ids.has(grid.ids[index]);
    grid.place.addEventListener("click", (event) => this.click(event));
    grid.place.addEventListener("dblclick", (event) => this.at(event) >= 0 && !this.onTick(event) && does.open(this.at(event)));
    grid.place.addEventListener("keydown", (event) => this.press(event));
    grid.place.addEventListener("pointerdown", (event) => this.drag(event));
  }

  at(event) {
    const tile = event.target.closest?.(".set-tile");
    return tile ? Number(tile.dataset.index) : -1;
  }

  onTick(event) {
    return Boolean(event.target.closest?.(".set-tick"));
  }

  click(event) {
    const index = this.at(event);
    if (index < 0 || this.dragged) return;
    const isTouch = event.pointerType === "touch";
    if (event.shiftKey) this.range(this.anchor, index, event.ctrlKey || event.metaKey);
    else if (event.ctrlKey || event.metaKey || this.onTick(event)) this.toggle(index);
    else if (isTouch) return this.ids.size ? this.toggle(index) : this.does.open(index);
    else this.only(index);
    this.grid.focus(index);
  }

  only(index) {
    this.ids.clear();
    this.ids.add(this.grid.ids[index]);
    this.anchor = index;
    this.show();
  }

  toggle(index) {
    const id = this.grid.ids[index];
    if (!this.ids.delete(id)) this.ids.add(id);
    this.anchor = index;
    this.show();
  }

  range(from, to, keep = false) {
    if (!keep) this.ids.clear();
    for (let index = Math.min(from, to); index <= Math.max(from, to); index += 1) this.ids.add(this.grid.ids[index]);
    this.show();
  }

  all() {
    this.ids = new Set(this.grid.ids);
    this.show();
  }

  clear() {
    this.ids.clear();
    this.show();
  }

  show() {
    this.grid.refill();
    this.does.show(this.ids.size);
  }

  press(event) {
    const { grid } = this;
    const rows = Math.max(1, Math.floor(innerHeight / grid.step) - 1);
    const moves = { ArrowRight: 1, ArrowLeft: -1, ArrowDown: grid.columns, ArrowUp: -grid.columns, PageDown: rows * grid.columns, PageUp: -rows * grid.columns, Home: -grid.total, End: grid.total };
    const index = grid.focused;
    if (event.key in moves) {
      grid.focus(index + moves[event.key]);
      if (event.shiftKey) this.range(this.anchor, grid.focused);
    } else if (event.key === " ") this.toggle(index);
    else if (event.key === "Enter") this.does.open(index);
    else if (event.key === "Delete") this.does.remove();
    else if (event.key === "Escape") this.clear();
    else if (event.key === "a" && (event.ctrlKey || event.metaKey)) this.all();
    else return;
    event.preventDefault();
  }

  /** A rubber band: a mouse pressed anywhere in the grid and moved. */
  drag(event) {
    this.dragged = false;
    if (event.pointerType !== "mouse" || event.button !== 0) return;
    const place = this.grid.place;
    const from = this.point(event);
    const kept = event.ctrlKey || event.metaKey || event.shiftKey ? new Set(this.ids) : new Set();
    const band = document.createElement("div");
    band.className = "set-band";
    const move = (moved) => {
      const to = this.point(moved);
      if (!this.dragged && Math.hypot(to.x - from.x, to.y - from.y) < MOVED) return;
      if (!this.dragged) place.append(band);
      this.dragged = true;
      if (moved.clientY < EDGE) scrollBy(0, -20);
      if (moved.clientY > innerHeight - EDGE) scrollBy(0, 20);
      const [left, right] = [from.x, to.x].sort((a, b) => a - b);
      const [top, bottom] = [from.y, to.y].sort((a, b) => a - b);
      Object.assign(band.style, { left: `${left}px`, top: `${top}px`, width: `${right - left}px`, height: `${bottom - top}px` });
      this.ids = new Set([...kept, ...this.grid.within(left, top, right, bottom).map((index) => this.grid.ids[index])]);
      this.show();
    };
    const end = () => {
      removeEventListener("pointermove", move);
      removeEventListener("pointerup", end);
      removeEventListener("pointercancel", end);
      band.remove();
      setTimeout(() => { this.dragged = false; }); // after the click that ends the movement
    };
    addEventListener("pointermove", move);
    addEventListener("pointerup", end);
    addEventListener("pointercancel", end);
    place.addEventListener("dragstart", (started) => started.preventDefault(), { once: true });
  }

  point(event) {
    const { left, top } = this.grid.place.getBoundingClientRect();
    return { x: event.clientX - left, y: event.clientY - top };
  }
}
