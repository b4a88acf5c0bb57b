// @ts-check
// Zoom and pan of the picture in a stage: wheel, pinch, drag and double click; buttons and keys call the returned functions.
const MOST = 16;
const SWIPE = 60; // px of finger movement that switch to the next picture

export function startZoom(stage, onSwipe) {
  const picture = stage?.querySelector("img.sample-picture");
  if (!picture) return null;
  const pointers = new Map();
  let scale = 1, x = 0, y = 0, travelled = 0, pinched = false;
  let start = { x: 0, y: 0 };

  function draw() {
    const box = stage.getBoundingClientRect();
    const [wide, high] = [box.width, box.height].map((size) => ((scale - 1) * size) / 2);
    x = Math.min(wide, Math.max(-wide, x));
    y = Math.min(high, Math.max(-high, y));
    picture.style.transform = scale === 1 ? "" : `translate(${x}px, ${y}px) scale(${scale})`;
    stage.classList.toggle("is-zoomed", scale > 1);
    stage.dataset.scale = scale.toFixed(2);
  }

  // Keep the point under the pointer in place.
  function zoomAt(factor, clientX, clientY) {
    const box = stage.getBoundingClientRect();
    const px = clientX - box.left - box.width / 2;
    const py = clientY - box.top - box.height / 2;
    const next = Math.min(MOST, Math.max(1, scale * factor));
    x = px - ((px - x) * next) / scale;
    y = py - ((py - y) * next) / scale;
    scale = next;
    draw();
  }

  function zoom(factor) {
    const box = stage.getBoundingClientRect();
    zoomAt(factor, box.left + box.width / 2, box.top + box.height / 2);
  }

  function pan(dx, dy) {
    x += dx;
    y += dy;
    draw();
  }

  function fit() {
    scale = 1;
    draw();
  }

  const spread = () => {
    const [a, b] = [...pointers.values()];
    return { size: Math.hypot(a.x - b.x, a.y - b.y), x: (a.x + b.x) / 2, y: (a.y + b.y) / 2 };
  };

  stage.addEventListener("wheel", (event) => {
    event.preventDefault();
    zoomAt(Math.exp(-event.deltaY * (event.deltaMode ? 0.05 : 0.0025)), event.clientX, event.clientY);
  }, { passive: false });

  stage.addEventListener("pointerdown", (event) => {
    if (event.button || event.target.closest("button, .sample-way")) return;
    if (!pointers.size) [travelled, pinched, start] = [0, false, { x: event.clientX, y: event.clientY }];
    pointers.set(event.pointerId, { x: event.clientX, y: event.clientY });
    pinched ||= pointers.size > 1;
  });

  stage.addEventListener("pointermove", (event) => {
    const before = pointers.get(event.pointerId);
    if (!before) return;
    const old = pointers.size === 2 && spread();
    pointers.set(event.pointerId, { x: event.clientX, y: event.clientY });
    travelled += Math.abs(event.clientX - before.x) + Math.abs(event.clientY - before.y);
    if (travelled > 4 && !stage.hasPointerCapture(event.pointerId)) stage.setPointerCapture(event.pointerId);
    stage.classList.toggle("is-dragged", travelled > 4);
    if (!old) return scale > 1 && pan(event.clientX - before.x, event.clientY - before.y);
    const now = spread();
    pan(now.x - old.x, now.y - old.y);
    zoomAt(now.size / Math.max(1, old.size), now.x, now.y);
  });

  function release(event) {
    if (!pointers.delete(event.pointerId) || pointers.size) return;
    stage.classList.remove("is-dragged");
    const [dx, dy] = [event.clientX - start.x, event.clientY - start.y];
    if (event.type === "pointercancel" || event.pointerType !== "touch" || pinched || scale > 1) return;
    if (Math.max(Math.abs(dx), Math.abs(dy)) < SWIPE) return;
    onSwipe(Math.abs(dx) > Math.abs(dy) ? (dx < 0 ? "ArrowRight" : "ArrowLeft") : dy < 0 ? "ArrowDown" : "ArrowUp");
  }
  stage.addEventListener("pointerup", release);
  stage.addEventListener("pointercancel", release);

  stage.querySelector(".sample-zoom").addEventListener("click", (event) => {
    if (event.ctrlKey || event.metaKey || event.shiftKey) return;
    event.preventDefault();
    if (travelled > 4) return;
    if (scale > 1) fit();
    else if (event.detail) zoomAt(3, event.clientX, event.clientY);
    else zoom(3);
  });

  const verbs = { in: () => zoom(1.5), out: () => zoom(1 / 1.5), fit };
  for (const button of stage.querySelectorAll("[data-zoom]")) button.addEventListener("click", verbs[button.dataset.zoom]);
  return { ...verbs, pan, isZoomed: () => scale > 1 };
}
