// @ts-check
// Two pictures under a slider: drag it, or move it with the arrow keys; the right picture shows behind it.
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
