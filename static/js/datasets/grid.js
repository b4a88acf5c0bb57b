// @ts-check
// A grid of any number of pictures: only the tiles near the screen exist, and are used again while one scrolls.
// The facts of pictures are fetched in parts; their ids are fetched once, so that a selection needs no other part.
import { call } from "./calls.js";

const PART = 200; // pictures of one request
const GAP = 8;
const TEXT = 40; // pixels of name and facts below a picture
const PLAIN = 112; // pictures smaller than this have no text
const AHEAD = 1; // screens beyond the visible one

/** @typedef {{ id: number, name: string, sha256: string, width: number, height: number, caption: string | null, has_mask: boolean, excluded: boolean, problem: string }} Row */

export class Grid {
  /** @param {HTMLElement} place @param {string} query */
  constructor(place, query) {
    this.place = place;
    this.query = query;
    this.total = Number(place.dataset.total);
    this.set = place.dataset.set;
    this.address = place.dataset.pictures;
    /** @type {number[]} */
    this.ids = [];
    /** @type {Map<number, Row>} */
    this.rows = new Map();
    this.loading = new Set();
    /** @type {Map<number, HTMLElement>} */
    this.tiles = new Map();
    /** @type {HTMLElement[]} */
    this.spare = [];
    this.edge = 168;
    this.columns = 1;
    this.size = this.edge;
    this.height = this.size + TEXT;
    this.step = this.height + GAP;
    this.isPlain = false;
    this.focused = 0;
    this.isSelected = (index) => false;
    this.onRows = () => {};
    this.pending = 0;
  }

  start() {
    this.place.replaceChildren();
    this.place.classList.add("is-live");
    this.place.setAttribute("role", "listbox");
    this.place.setAttribute("aria-multiselectable", "true");
    this.place.setAttribute("aria-label", gettext("Pictures"));
    addEventListener("scroll", () => this.later(), { passive: true });
    new ResizeObserver(() => this.layOut()).observe(this.place);
    this.layOut();
    return this.loadIds();
  }

  async loadIds() {
    const answer = await call(`${this.address}/ids?${this.query}`);
    this.ids = answer.ids;
    this.total = this.ids.length;
    this.layOut();
  }

  /** Fetch everything again, for example after a change on the server. */
  async reload() {
    this.rows.clear();
    this.loading.clear();
    await this.loadIds();
    this.draw();
    this.onRows();
  }

  resize(edge) {
    const first = Math.floor(Math.max(0, this.top()) / this.step) * this.columns;
    this.edge = edge;
    this.layOut();
    if (first) this.reveal(first);
  }

  layOut() {
    const width = this.place.clientWidth || 320;
    this.columns = Math.max(1, Math.floor((width + GAP) / (this.edge + GAP)));
    this.size = Math.floor((width - GAP * (this.columns - 1)) / this.columns);
    this.isPlain = this.size < PLAIN;
    this.height = this.size + (this.isPlain ? 0 : TEXT);
    this.step = this.height + GAP;
    this.place.style.height = `${Math.max(1, Math.ceil(this.total / this.columns) * this.step)}px`;
    for (const index of [...this.tiles.keys()]) this.drop(index);
    this.draw();
  }

  later() {
    if (!this.pending) this.pending = requestAnimationFrame(() => { this.pending = 0; this.draw(); });
  }

  /** How far the grid is scrolled beyond the top of the window. */
  top() {
    return -this.place.getBoundingClientRect().top;
  }

  draw() {
    const ahead = innerHeight * AHEAD;
    const first = Math.max(0, Math.floor((this.top() - ahead) / this.step)) * this.columns;
    const last = Math.min(this.total, Math.ceil((this.top() + innerHeight + ahead) / this.step) * this.columns);
    for (const index of [...this.tiles.keys()]) if (index < first || index >= last) this.drop(index);
    for (let index = first; index < last; index += 1) {
      if (!this.tiles.has(index)) this.put(index);
      if (!this.rows.has(index)) this.load(Math.floor(index / PART));
    }
  }

  drop(index) {
    const tile = this.tiles.get(index);
    if (!tile || (tile === document.activeElement && index < this.total)) return;
    this.tiles.delete(index);
    tile.remove();
    this.spare.push(tile);
  }

  put(index) {
    const tile = this.spare.pop() ?? make();
    tile.dataset.index = String(index);
    tile.style.width = `${this.size}px`;
    tile.style.height = `${this.height}px`;
    tile.style.transform = `translate(${(index % this.columns) * (this.size + GAP)}px, ${Math.floor(index / this.columns) * this.step}px)`;
    /** @type {HTMLElement} */ (tile.firstElementChild).style.height = `${this.size}px`;
    tile.classList.toggle("is-plain", this.isPlain);
    tile.setAttribute("aria-posinset", String(index + 1));
    tile.setAttribute("aria-setsize", String(this.total));
    this.tiles.set(index, tile);
    this.fill(index);
    this.place.append(tile);
  }

  fill(index) {
    const tile = this.tiles.get(index);
    if (!tile) return;
    const row = this.rows.get(index);
    const image = tile.querySelector("img");
    const source = row && !row.problem ? `/datasets/${this.set}/pictures/${row.id}/?v=${row.sha256.slice(0, 12)}` : "";
    if (image.getAttribute("src") !== source) {
      if (source) image.src = source;
      else image.removeAttribute("src");
    }
    tile.tabIndex = index === this.focused ? 0 : -1;
    tile.setAttribute("aria-selected", String(this.isSelected(index)));
    tile.classList.toggle("is-excluded", Boolean(row?.excluded));
    if (this.isPlain || !row) tile.setAttribute("aria-label", row ? label(row) : gettext("Loading"));
    else tile.removeAttribute("aria-label"); // its texts are its name
    tile.title = row ? `${row.name}\n${row.caption ?? ""}` : "";
    tile.querySelector(".set-tile-name").textContent = row ? row.caption || row.name : "";
    tile.querySelector(".set-tile-facts").textContent = row ? (row.problem || `${row.width} × ${row.height}`) : "";
    const badge = row ? [row.excluded && gettext("excluded"), row.has_mask && gettext("mask"), row.caption ? "" : gettext("no caption")].filter(Boolean).join(", ") : "";
    tile.querySelector(".set-badge").textContent = badge;
    tile.querySelector(".set-badge").hidden = !badge || this.isPlain;
  }

  refill() {
    for (const index of this.tiles.keys()) this.fill(index);
  }

  async load(number) {
    if (this.loading.has(number)) return;
    this.loading.add(number);
    const query = new URLSearchParams(this.query);
    query.set("offset", String(number * PART));
    query.set("limit", String(PART));
    try {
      const answer = await call(`${this.address}?${query}`);
      if (!this.loading.has(number)) return; // everything was loaded again in between
      for (const [at, row] of answer.results.entries()) {
        this.rows.set(number * PART + at, row);
        this.fill(number * PART + at);
      }
      this.onRows();
    } catch {
      setTimeout(() => { this.loading.delete(number); this.later(); }, 2000);
    }
  }

  /** Scroll to a picture and make its tile. */
  reveal(index) {
    const top = this.place.getBoundingClientRect().top + scrollY + Math.floor(index / this.columns) * this.step;
    if (top < scrollY + 64 || top + this.height > scrollY + innerHeight) scrollTo({ top: top - 64 - (innerHeight - this.height) / 3 });
    this.draw();
  }

  focus(index) {
    const before = this.focused;
    this.focused = Math.max(0, Math.min(this.total - 1, index));
    this.reveal(this.focused);
    this.fill(before);
    this.fill(this.focused);
    this.tiles.get(this.focused)?.focus({ preventScroll: true });
  }

  /** The pictures whose tiles meet a rectangle in the grid's own pixels. */
  within(left, top, right, bottom) {
    const found = [];
    const firstRow = Math.max(0, Math.floor(top / this.step));
    const lastRow = Math.floor(bottom / this.step);
    for (let row = firstRow; row <= lastRow; row += 1) {
      for (let column = 0; column < this.columns; column += 1) {
        const [x, y, index] = [column * (this.size + GAP), row * this.step, row * this.columns + column];
        if (index < this.total && x < right && x + this.size > left && y < bottom && y + this.height > top) found.push(index);
      }
    }
    return found;
  }
}

function make() {
  const tile = document.createElement("div");
  tile.className = "set-tile";
  tile.setAttribute("role", "option");
  tile.innerHTML = `<span class="set-tile-picture"><img alt="" decoding="async"></span><span class="set-tick" aria-hidden="true"><i class="ti ti-check"></i></span>
    <span class="set-badge" hidden></span><span class="set-tile-text set-tile-name"></span><span class="set-tile-text set-tile-facts"></span>`;
  return tile;
}

/** @param {Row} row */
function label(row) {
  const parts = [row.name, row.caption || gettext("no caption"), row.excluded && gettext("excluded"), row.has_mask && gettext("mask"), row.problem];
  return parts.filter(Boolean).join(", ");
}
