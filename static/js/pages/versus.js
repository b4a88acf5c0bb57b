// @ts-check
// Two pictures under a slider: the range over them is dragged, or moved by keys; the right picture is seen beyond it.
const versus = document.getElementById("versus");
const range = versus?.querySelector(".versus-range");

function show() {
  versus.querySelector(".versus-over img").style.clipPath = `inset(0 0 0 ${range.value}%)`;
  versus.querySelector(".versus-line").style.left = `${range.value}%`;
}

if (range) {
  versus.classList.add("is-slider");
  range.addEventListener("input", show);
  show();
}

for (const select of document.querySelectorAll("[data-versus-form] select")) {
  select.addEventListener("change", () => select.form.requestSubmit());
}
