// @ts-check
// Search for a field: the results of the server as a list, with arrow keys to move in it.

const REST = 120; // ms after a keystroke

export function startSearch(form, jumpTo) {
  const input = form.querySelector("input[type=search]");
  const box = document.getElementById("editor-found");
  /** @type {ReturnType<typeof setTimeout> | undefined} */
  let timer;
  let latestRequest = 0;

  Object.entries({ role: "combobox", "aria-expanded": "false", "aria-controls": "editor-found", "aria-autocomplete": "list" })
    .forEach(([name, value]) => input.setAttribute(name, value));

  const options = () => [...box.querySelectorAll("[role=option]")];
  const chosen = () => box.querySelector("[aria-selected=true]");

  function open(on) {
    box.hidden = !on;
    input.setAttribute("aria-expanded", String(on && options().length > 0));
    if (!on) input.removeAttribute("aria-activedescendant");
  }

  function choose(option) {
    chosen()?.setAttribute("aria-selected", "false");
    option.setAttribute("aria-selected", "true");
    option.scrollIntoView({ block: "nearest" });
    input.setAttribute("aria-activedescendant", option.id);
  }

  function go(option) {
    open(false);
    input.value = "";
    box.replaceChildren();
    const { target, tab, why } = option.dataset;
    if (tab) jumpTo(target, tab, target, why);
  }

  async function ask() {
    const number = ++latestRequest;
    const text = input.value.trim();
    if (!text) return open(false);
    const response = await fetch(`${form.dataset.address}?q=${encodeURIComponent(text)}`);
    if (!response.ok || number !== latestRequest) return;
    box.innerHTML = await response.text();
    open(true);
    const first = options()[0];
    if (first) choose(first);
  }

  function move(by) {
    const all = options();
    if (!all.length) return;
    choose(all[(all.indexOf(chosen()) + by + all.length) % all.length]);
  }

  input.addEventListener("input", () => {
    clearTimeout(timer);
    timer = setTimeout(ask, REST);
  });
  input.addEventListener("focus", () => box.childElementCount && open(true));
  form.addEventListener("focusout", (event) => form.contains(event.relatedTarget) || open(false));
  input.addEventListener("keydown", (event) => {
    if (event.key === "ArrowDown" || event.key === "ArrowUp") {
      event.preventDefault();
      move(event.key === "ArrowDown" ? 1 : -1);
    } else if (event.key === "Escape") {
      input.value = "";
      open(false);
      input.blur();
    }
  });
  form.addEventListener("submit", async (event) => {
    event.preventDefault();
    clearTimeout(timer);
    await ask();
    if (chosen()) go(chosen());
  });
  box.addEventListener("mousedown", (event) => event.preventDefault()); // the focus stays in the search
  box.addEventListener("click", (event) => {
    const option = event.target.closest("[role=option]");
    if (!option) return;
    event.preventDefault();
    go(option);
  });
}
