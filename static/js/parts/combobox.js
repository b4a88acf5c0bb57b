// @ts-check
// A search box over a list that the server renders: results while typing, arrow keys to move, Enter to go.

const REST = 120; // ms after a keystroke

/**
 * Start a search; without words the list is empty, unless `showsAll`.
 * @param {{form: HTMLFormElement, box: HTMLElement, address: string, go: (option: HTMLElement) => void,
 *          headers?: Record<string, string>, showsAll?: boolean}} parts
 */
export function startCombobox({ form, box, address, go, headers = {}, showsAll = false }) {
  const input = /** @type {HTMLInputElement} */ (form.querySelector("input[type=search]"));
  /** @type {ReturnType<typeof setTimeout> | undefined} */
  let timer;
  let latestRequest = 0;
  let shownFor = ""; // the words of the list

  Object.entries({ role: "combobox", "aria-expanded": "false", "aria-controls": box.id, "aria-autocomplete": "list" })
    .forEach(([name, value]) => input.setAttribute(name, value));

  const options = () => /** @type {HTMLElement[]} */ ([...box.querySelectorAll("[role=option]")]);
  const chosen = () => /** @type {HTMLElement | null} */ (box.querySelector("[aria-selected=true]"));

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

  function follow(option) {
    clear();
    go(option);
  }

  function clear() {
    latestRequest += 1; // an answer on its way comes too late
    input.value = "";
    box.replaceChildren();
    open(false);
  }

  async function ask() {
    const number = ++latestRequest;
    const text = input.value.trim();
    if (!text && !showsAll) return open(false);
    const response = await fetch(`${address}?q=${encodeURIComponent(text)}`, { headers });
    if (!response.ok || number !== latestRequest) return;
    box.innerHTML = await response.text();
    shownFor = text;
    open(true);
    const first = options()[0];
    if (first) choose(first);
  }

  function move(by) {
    const all = options();
    if (!all.length) return;
    choose(all[(all.indexOf(/** @type {HTMLElement} */ (chosen())) + by + all.length) % all.length]);
  }

  input.addEventListener("input", () => {
    clearTimeout(timer);
    timer = setTimeout(ask, REST);
  });
  input.addEventListener("focus", () => box.childElementCount && open(true));
  input.addEventListener("keydown", (event) => {
    if (event.key !== "ArrowDown" && event.key !== "ArrowUp") return;
    event.preventDefault();
    move(event.key === "ArrowDown" ? 1 : -1);
  });
  form.addEventListener("submit", async (event) => {
    event.preventDefault();
    clearTimeout(timer);
    if (!chosen() || input.value.trim() !== shownFor) await ask();
    const option = chosen();
    if (option) follow(option);
  });
  box.addEventListener("mousedown", (event) => event.preventDefault()); // the focus stays in the search
  box.addEventListener("click", (event) => {
    if (event.ctrlKey || event.metaKey || event.shiftKey) return; // a new tab
    const option = /** @type {HTMLElement} */ (event.target).closest("[role=option]");
    if (!option) return;
    event.preventDefault();
    follow(/** @type {HTMLElement} */ (option));
  });
  return { ask, clear, close: () => open(false), input };
}
