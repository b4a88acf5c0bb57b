// @ts-check
// Plays the steps of one prompt, as listed in the strip; a click in the strip shows that step.
const film = document.getElementById("film");
const frames = [...film.querySelectorAll("[data-frame]")];
const picture = film.querySelector(".film-picture");
const step = film.querySelector(".film-step");
const scrub = film.querySelector("[data-scrub]");
const button = film.querySelector("[data-play]");
const speed = document.getElementById("speed");
const still = matchMedia("(prefers-reduced-motion: reduce)");
/** @type {ReturnType<typeof setTimeout> | undefined} */
let timer;

async function show(number) {
  const frame = frames[number];
  scrub.value = number;
  step.textContent = `${step.dataset.word} ${frame.dataset.step}`;
  scrub.setAttribute("aria-valuetext", step.textContent);
  picture.src = frame.dataset.frame;
  film.querySelector("[aria-current]")?.removeAttribute("aria-current");
  frame.setAttribute("aria-current", "true");
  const strip = frame.closest("ol");
  strip.scrollTo({ left: frame.parentElement.offsetLeft - strip.clientWidth / 2, behavior: still.matches ? "auto" : "smooth" });
  new Image().src = frames[(number + 1) % frames.length].dataset.frame;
}

const next = () => show((Number(scrub.value) + 1) % frames.length);

function play(on) {
  clearInterval(timer);
  timer = on ? setInterval(next, 1000 / Number(speed.value)) : undefined;
  button.firstElementChild.className = `ti ti-player-${on ? "pause" : "play"}`;
  button.setAttribute("aria-label", on ? button.dataset.pauseLabel : button.dataset.playLabel);
}

button.addEventListener("click", () => play(!timer));
speed.addEventListener("change", () => timer && play(true));
scrub.addEventListener("input", () => {
  play(false);
  show(Number(scrub.value));
});
for (const [number, frame] of frames.entries()) {
  frame.addEventListener("click", (event) => {
    if (event.ctrlKey || event.metaKey || event.shiftKey) return;
    event.preventDefault();
    play(false);
    show(number);
  });
}
if (frames.length) show(0);
