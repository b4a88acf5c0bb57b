// @ts-check
// A sample in full size: over the page for any link with `data-sample`, and the same on the sample's own page.
// It shows a part of the sample's page, so a link works without scripts too.
import { startZoom } from "./zoom.js";

const HTML = { "HX-Request": "true" };
const MOST_KEPT = 60;
const PAN = 80; // px for each press of an arrow
const dialog = document.getElementById("lightbox");
const content = dialog?.querySelector(".lightbox-content");
const parts = new Map(); // address -> the promise of its part, fetched ahead
/** @type {ReturnType<typeof startZoom> | null} */
let zoom = null;
let latestRequest = 0;
/** @type {(() => any[]) | null} */
let order = null; // returns the tiles for left and right if the page has its own order

// -- opening and moving ---------------------------------------------------------------------------------------------

document.addEventListener("click", (event) => {
  const link = event.target.closest("a[data-sample]");
  if (!link || event.ctrlKey || event.metaKey || event.shiftKey || link.closest(".sample-page")) return;
  event.preventDefault();
  if (!dialog.open) open(link);
  else show(link.href, link.dataset.key);
});

function open(link) {
  const list = link.closest("[data-lightbox-order]");
  order = list ? () => [...list.querySelectorAll("[data-tile]")] : null;
  content.replaceChildren();
  dialog.showModal();
  show(link.href);
}

function part(address) {
  if (!parts.has(address)) {
    const answer = fetch(address, { headers: HTML }).then((got) => {
      if (!got.ok) throw new Error(String(got.status));
      return got.text();
    });
    answer.catch(() => parts.delete(address));
    parts.set(address, answer);
    if (parts.size > MOST_KEPT) parts.delete(parts.keys().next().value);
  }
  return parts.get(address);
}

async function show(address, key) {
  const mine = ++latestRequest;
  try {
    const html = await part(address);
    if (mine === latestRequest) put(html, key);
  } catch {
    if (mine === latestRequest) sayLost();
  }
}

function sayLost() {
  content.innerHTML = '<p class="lightbox-problem" role="alert"></p>';
  content.firstElementChild.textContent = content.dataset.lost;
}

function put(html, key) {
  const within = content.contains(document.activeElement);
  content.innerHTML = html;
  const sample = content.querySelector(".sample");
  if (order) leadThroughList(sample);
  start(sample);
  dialog.querySelector("[role=status]").textContent = sample.getAttribute("aria-label");
  if (within) (content.querySelector(`[data-key="${key}"]`) ?? dialog.querySelector("[data-close]")).focus();
  for (const way of content.querySelectorAll("a[data-key]")) ahead(way);
}

function ahead(way) {
  part(way.href).catch(() => null);
  new Image().src = `/api/samples/${way.dataset.sample}/file`;
}

// In a list, left and right lead to the previous and next tile.
function leadThroughList(sample) {
  const tiles = order?.() ?? [];
  const place = tiles.findIndex((tile) => tile.dataset.tile === sample.dataset.sample);
  if (place < 0) return;
  tiles[place].scrollIntoView({ block: "nearest" }); // the page shows this tile when the lightbox closes
  const ways = sample.querySelector(".sample-ways");
  for (const [side, target] of [["left", tiles[place - 1]], ["right", tiles[place + 1]]]) {
    ways.querySelector(`.sample-way-${side}`)?.remove();
    if (!target) continue;
    const way = dialog.querySelector(`template[data-way="${side}"]`).content.firstElementChild.cloneNode(true);
    way.href = `/samples/${target.dataset.tile}/`;
    way.dataset.sample = target.dataset.tile;
    ways.append(way);
  }
  if (place >= tiles.length - 2) document.dispatchEvent(new CustomEvent("lightbox-at-end"));
}

dialog?.addEventListener("click", (event) => {
  if (event.target.closest("[data-close]")) dialog.close();
});
dialog?.addEventListener("close", () => {
  const id = content.querySelector(".sample")?.dataset.sample;
  content.replaceChildren();
  document.querySelector(`.thumb-link[data-sample="${id}"]`)?.focus();
});

// -- actions --------------------------------------------------------------------------------------------------------

function start(sample) {
  zoom = startZoom(sample.querySelector(".sample-stage"), (key) => sample.querySelector(`[data-key="${key}"]`)?.click());
}

document.addEventListener("submit", async (event) => {
  const form = event.target.closest("#lightbox [data-favourite-form]");
  if (!form) return;
  event.preventDefault();
  const answer = await fetch(form.action, { method: "POST", body: new FormData(form), headers: HTML }).catch(() => null);
  if (!answer?.ok) return sayLost();
  const address = content.querySelector(".sample-link").href;
  parts.set(address, Promise.resolve(await answer.text()));
  await show(address);
  content.querySelector("[data-favourite-form] button").focus();
  const { sample, favourite } = content.querySelector(".sample").dataset;
  for (const link of document.querySelectorAll(`.thumb-link[data-sample="${sample}"]`)) {
    link.querySelector(".thumb-star").hidden = favourite !== "1";
  }
});

const sheet = document.getElementById("shortcuts");
const PANS = { ArrowLeft: [PAN, 0], ArrowRight: [-PAN, 0], ArrowUp: [0, PAN], ArrowDown: [0, -PAN] };
// Before the other keys of the page: arrow keys pan a zoomed picture.
addEventListener("keydown", (event) => {
  const sample = (dialog?.open ? content : document.querySelector(".sample-page"))?.querySelector(".sample");
  if (!sample || sheet.open || event.altKey || event.ctrlKey || event.metaKey || event.target.closest("input, textarea, select, video")) return;
  const done = press(sample, event.key);
  if (done) event.preventDefault();
}, true);

function press(sample, key) {
  if (key in PANS && zoom?.isZoomed()) return zoom.pan(...PANS[key]), true;
  if (key === "+" || key === "=") return zoom?.in(), true;
  if (key === "-") return zoom?.out(), true;
  if (key === "0") return zoom?.fit(), true;
  if (key === "?") return sheet.showModal(), true;
  const target = key === "f" ? sample.querySelector("[data-favourite-form] button") : sample.querySelector(`[data-key="${key}"]`);
  target?.click();
  return Boolean(target);
}

const own = document.querySelector(".sample-page .sample");
if (own) start(own);
