// @ts-check
// The form of custom samples: an earlier prompt or sample fills it, a chosen shape clears the sizes, a typed seed is kept.
document.addEventListener("click", (event) => {
  const link = event.target.closest("[data-draw-again]");
  if (!link) return;
  const form = document.getElementById("draw-form");
  if (!form) return; // the link leads to the page that has it
  event.preventDefault();
  form.closest("details").open = true;
  const before = JSON.parse(link.dataset.drawAgain);
  for (const name of ["prompt", "negative_prompt", "width", "height", "diffusion_steps", "cfg_scale", "noise_scheduler", "seed"]) {
    form.elements[name].value = before[name] ?? "";
  }
  form.elements.aspect.value = "";
  form.elements.by_chance.checked = false;
  const dialog = link.closest("dialog");
  if (!dialog) return form.elements.prompt.focus();
  dialog.addEventListener("close", () => form.elements.prompt.focus(), { once: true }); // after the dialog has restored the focus
  dialog.close();
});

document.addEventListener("input", ({ target }) => {
  const { aspect, width, height, seed, by_chance } = target.form?.id === "draw-form" ? target.form.elements : {};
  if (target === aspect) width.value = height.value = "";
  if (target === width || target === height) aspect.value = "";
  if (target === seed) by_chance.checked = false;
});

const LEAST = 500; // ms between two requests for a preview
let askedAt = 0;

// The preview of the sample in progress. It is shown only while a sample is generated.
export function showPreview({ url, current, total }) {
  const figure = document.getElementById("drawn-now");
  if (!figure) return;
  const picture = figure.querySelector("img");
  if (url && Date.now() - askedAt > LEAST) {
    askedAt = Date.now();
    picture.src = url;
  }
  picture.hidden = !picture.src;
  figure.querySelector("progress").value = current / total;
  figure.querySelector("[data-drawn-step]").textContent = `${current} / ${total}`;
  figure.hidden = false;
}

export function hidePreview() {
  const figure = document.getElementById("drawn-now");
  if (figure) figure.hidden = true;
}
