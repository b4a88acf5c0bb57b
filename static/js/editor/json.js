// @ts-check
// The config as JSON next to the form: follows the form until the user types in it, and is checked while the user types.

const REST = 350; // ms after a keystroke until the text is checked

export function startJson(draft) {
  const form = document.getElementById("editor-json-form");
  if (!form) return null;
  const text = form.querySelector("textarea");
  const lines = document.getElementById("json-lines");
  const state = document.getElementById("json-state");
  let stored = text.value;
  /** @type {ReturnType<typeof setTimeout> | undefined} */
  let timer;
  let latestRequest = 0;

  const isTyped = () => text.value !== stored;

  function number() {
    const bad = new Set([...form.querySelectorAll(".problem.is-error [data-line]")].map((one) => Number(one.dataset.line)));
    const count = text.value.split("\n").length;
    lines.replaceChildren(
      ...Array.from({ length: count }, (_, index) => {
        const line = document.createElement("span");
        line.textContent = `${index + 1}\n`;
        if (bad.has(index + 1)) line.className = "is-error";
        return line;
      }),
    );
    lines.scrollTop = text.scrollTop;
  }

  async function post(data) {
    const body = new FormData(form);
    body.set("revision", draft.revision);
    for (const [name, value] of Object.entries(data)) body.set(name, value);
    return fetch(form.action, { method: "POST", body, headers: { "X-Requested-With": "editor" } });
  }

  async function check() {
    const mine = ++latestRequest;
    const response = await post({ do: "check" });
    if (!response.ok || mine !== latestRequest) return;
    document.getElementById("json-problems").outerHTML = await response.text();
    number();
  }

  function say() {
    state.textContent = isTyped() ? gettext("Not applied yet") : gettext("Fields that differ from the defaults");
    state.classList.toggle("text-warning", isTyped());
  }

  // What the server changed in the applied text, such as the translation of another trainer's config.
  function note(sentences) {
    const list = document.getElementById("json-notes");
    list.hidden = !sentences.length;
    list.replaceChildren(...sentences.map((sentence) => Object.assign(document.createElement("li"), { textContent: sentence })));
  }

  function show(content) {
    stored = text.value = content;
    say();
    check();
  }

  async function apply() {
    await draft.send();
    const response = await post({ do: "apply" });
    if (response.ok) {
      stored = text.value;
      note((await response.json()).notes);
      await draft.ask({});
      document.getElementById("json-problems").focus?.();
    } else {
      const answer = await response.json();
      state.textContent = answer.detail;
      state.classList.add("text-warning");
      if (response.status === 409) draft.look();
    }
  }

  text.addEventListener("input", () => {
    note([]);
    say();
    number();
    clearTimeout(timer);
    timer = setTimeout(check, REST);
  });
  text.addEventListener("scroll", () => (lines.scrollTop = text.scrollTop));
  text.addEventListener("keydown", (event) => {
    if (event.key === "Enter" && (event.ctrlKey || event.metaKey)) {
      event.preventDefault();
      apply();
    }
  });
  form.addEventListener("submit", (event) => {
    event.preventDefault();
    apply();
  });
  form.addEventListener("click", (event) => {
    const line = event.target.closest("[data-line]")?.dataset.line;
    if (!line) return;
    const before = text.value.split("\n").slice(0, Number(line) - 1);
    const start = before.join("\n").length + (before.length ? 1 : 0);
    const end = text.value.indexOf("\n", start);
    text.focus();
    text.setSelectionRange(start, end < 0 ? text.value.length : end);
    text.scrollTop = (Number(line) - 5) * parseFloat(getComputedStyle(text).lineHeight);
  });
  document.getElementById("json-revert").addEventListener("click", () => draft.ask({}).then(() => show(newest ?? stored)));
  let newest = null;
  number();
  check();

  return {
    formChanged(answer) {
      if (answer.json === undefined) return;
      newest = answer.json;
      if (answer.json === text.value) stored = text.value;
      if (isTyped() && answer.json !== stored) state.textContent = gettext("Not applied yet; the form has changed since");
      else if (answer.json !== text.value) show(answer.json);
      else say();
    },
  };
}
