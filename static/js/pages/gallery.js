// @ts-check
// The gallery without end: older samples are fetched before the last is reached, and tiles far from the screen are
// emptied, so that thousands scroll smoothly and memory is bounded. The address follows, so that a reload or a shared
// link begins at the same place.
import { isTicked } from "../parts/selection.js";

const FAR = "250% 0px"; // how far from the screen a tile keeps its picture
const NEAR = "150% 0px"; // how far ahead older samples are fetched
const MOST = 3000; // tiles on one page; the link to older samples then leads to a page that begins with them
const gallery = document.getElementById("gallery");
const emptied = new WeakMap();
let loading = null;

// -- tiles far from the screen --------------------------------------------------------------------------------------

const watcher = new IntersectionObserver((entries) => {
  for (const { target, isIntersecting, boundingClientRect } of entries) {
    if (isIntersecting) fill(target);
    else empty(target, boundingClientRect.height);
  }
}, { rootMargin: FAR });

function empty(tile, height) {
  if (emptied.has(tile) || isTicked(tile.dataset.tile) || !height || tile.contains(document.activeElement)) return;
  tile.style.height = `${height}px`;
  emptied.set(tile, [...tile.childNodes]);
  tile.replaceChildren();
}

function fill(tile) {
  const nodes = emptied.get(tile);
  if (!nodes) return;
  emptied.delete(tile);
  tile.replaceChildren(...nodes);
  tile.style.height = "";
}

// -- older samples --------------------------------------------------------------------------------------------------

const ahead = new IntersectionObserver((entries) => {
  if (entries.some((entry) => entry.isIntersecting)) more();
}, { rootMargin: NEAR });

async function more() {
  const link = document.getElementById("gallery-more");
  if (!link || loading || gallery.childElementCount >= MOST) return;
  loading = link.href;
  try {
    const answer = await fetch(link.href, { headers: { "HX-Request": "true" } });
    if (answer.ok) append(link, await answer.text());
  } catch {
    // the link stays, and the next scroll or a click tries again
  } finally {
    loading = null;
  }
}

function append(link, html) {
  const part = document.createElement("div");
  part.innerHTML = html;
  const found = part.querySelector("#gallery");
  const days = [...gallery.querySelectorAll("[data-day]")];
  const first = found?.querySelector("[data-day]");
  if (first?.dataset.day === days.at(-1)?.dataset.day) first.remove();
  const tiles = [...(found?.children ?? [])];
  if (tiles.length) tiles[0].dataset.place = found.dataset.own;
  gallery.append(...tiles);
  watch(tiles);
  const next = part.querySelector("#gallery-more");
  if (next) link.href = next.href;
  else link.closest("nav").remove();
  if (next) ahead.unobserve(link), ahead.observe(link); // it may still be in sight
}

function watch(tiles) {
  for (const tile of tiles) {
    if (tile.dataset.tile) watcher.observe(tile);
    if (tile.dataset.place) places.observe(tile);
  }
}

// -- the address ----------------------------------------------------------------------------------------------------

// The address names the stretch of samples whose beginning was scrolled past last.
const places = new IntersectionObserver(() => {
  const begun = [...gallery.querySelectorAll("[data-place]")].filter((one) => one.getBoundingClientRect().top <= 0);
  const place = begun.at(-1)?.dataset.place ?? gallery.dataset.own;
  if (scrollY > 0) history.replaceState(null, "", place);
});

if (gallery) {
  gallery.firstElementChild.dataset.place = gallery.dataset.own;
  watch([...gallery.children]);
  const link = document.getElementById("gallery-more");
  if (link) ahead.observe(link);
  document.addEventListener("lightbox-at-end", more);
}
document.addEventListener("site-message", ({ detail }) => {
  if (/^sample_(default|custom)$/.test(detail.type)) document.getElementById("gallery-news").hidden = false;
});
