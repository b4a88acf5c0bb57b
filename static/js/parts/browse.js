// @ts-check
// Every input with `data-browse` (folder, file, model or save) gets a button that opens the server's folders.
// `data-suffixes` names the files to show. The chosen path is typed into the input, with its events.
const ADDRESS = "/browse/";
const TITLES = { folder: gettext("Choose a folder"), file: gettext("Choose a file"), model: gettext("Choose a model"), save: gettext("Choose where to save") };
const LOST = gettext("The folder cannot be shown: check the connection, or load the page again.");

let dialog, target, latestRequest = 0;
const part = (selector) => dialog.querySelector(selector);
const listing = () => part(".browse");
const rows = () => [...dialog.querySelectorAll(".browse-entry")].filter((row) => !row.parentElement.hidden);

// -- the buttons ----------------------------------------------------------------------------------------------------

function addButtons(root) {
  for (const input of root.querySelectorAll("input[data-browse]")) if (!input.closest(".browse-field")) addButton(input);
}

function addButton(input) {
  const focused = document.activeElement === input;
  const field = document.createElement("span");
  const button = document.createElement("button");
  const label = input.labels?.[0]?.firstChild?.textContent.trim() || gettext("a path");
  field.className = "browse-field";
  button.type = "button";
  button.className = "btn btn-icon browse-open";
  button.title = gettext("Browse");
  button.setAttribute("aria-label", interpolate(gettext("Browse: %s"), [label]));
  button.setAttribute("aria-haspopup", "dialog");
  button.innerHTML = '<i class="ti ti-folder-search" aria-hidden="true"></i>';
  input.replaceWith(field);
  field.append(input, button);
  if (focused) input.focus();
}

// Fields that are added later get a button too.
new MutationObserver((changes) => {
  if (changes.some((change) => change.addedNodes.length)) addButtons(document);
}).observe(document.body, { childList: true, subtree: true });
addButtons(document);

document.addEventListener("click", (event) => {
  const button = event.target.closest?.(".browse-open");
  if (button) open(button.parentElement.querySelector("input"));
});

// -- the dialog -----------------------------------------------------------------------------------------------------

function open(input) {
  target = input;
  dialog ??= make();
  part(".browse-title").textContent = TITLES[input.dataset.browse] ?? TITLES.folder;
  part(".browse-file").hidden = input.dataset.browse !== "save";
  part(".browse-file input").value = "";
  dialog.showModal();
  go({ path: input.value.trim(), nearest: "1" }).then((shown) => shown || go({}));
}

function make() {
  const element = document.createElement("dialog");
  element.className = "browse-dialog";
  element.setAttribute("aria-labelledby", "browse-title");
  element.innerHTML = `
    <div class="browse-head"><h2 class="card-title mb-0 browse-title" id="browse-title"></h2>
      <button class="btn btn-icon btn-ghost-secondary" type="button" data-close aria-label="Close"><i class="ti ti-x" aria-hidden="true"></i></button></div>
    <div class="browse-body"></div>
    <div class="browse-foot"><label class="browse-file" hidden>${gettext("Name")} <input class="form-control" spellcheck="false" autocomplete="off"></label>
      <span class="browse-chosen"></span>
      <button class="btn" type="button" data-close>Cancel</button><button class="btn btn-primary" type="button" data-take></button></div>`;
  element.addEventListener("click", click);
  element.addEventListener("keydown", press);
  element.addEventListener("input", filter);
  element.addEventListener("submit", submit);
  document.body.append(element);
  return element;
}

async function load(request) {
  const number = ++latestRequest;
  dialog.setAttribute("aria-busy", "true");
  try {
    const answer = await request();
    const text = await answer.text();
    if (number !== latestRequest) return false;
    const isPart = text.includes('class="browse"') && !text.includes("<html");
    if (isPart) part(".browse-body").innerHTML = text;
    else say(answer.status === 400 ? text : answer.status === 403 ? gettext("Only users with permission to train may browse the server's folders: ask an admin.") : LOST);
    return isPart && Boolean(listing().dataset.path);
  } catch {
    if (number === latestRequest) say(LOST);
    return false;
  } finally {
    if (number === latestRequest) dialog.removeAttribute("aria-busy");
  }
}

function say(sentence) {
  const place = part("[data-error]") ?? part(".browse-body");
  place.textContent = sentence;
}

async function go(query, keep = false) {
  const { browse: kind, suffixes = "" } = target.dataset;
  const address = `${ADDRESS}?${new URLSearchParams({ kind, suffixes, ...query })}`;
  const name = query.from;
  const shown = await load(() => fetch(address, { headers: { "HX-Request": "true" } }));
  if (shown) show(name, keep, query.nearest);
  return shown;
}

function show(from, keep, first) {
  const { path, name, kind, model } = listing().dataset;
  const file = part(".browse-file input");
  if (kind === "save" && first) file.value = name || target.value.split("/").pop();
  part(".browse-chosen").textContent = path;
  const take = part("[data-take]");
  take.textContent = { folder: gettext("Choose this folder"), save: gettext("Choose"), model: gettext("Choose this folder"), file: gettext("Choose") }[kind];
  take.disabled = kind === "file" || (kind === "model" && model === undefined);
  if (keep) {
    const input = part("input[type=search]");
    input.focus();
    input.setSelectionRange(input.value.length, input.value.length);
    return;
  }
  const all = rows();
  const wanted = all.find((row) => row.dataset.go === from) ?? all.find((row) => row.ariaCurrent) ?? all.find((row) => row.dataset.up === undefined);
  stand(wanted ?? all[0] ?? take, all);
}

function stand(row, all = rows()) {
  for (const one of all) one.tabIndex = one === row ? 0 : -1;
  row.focus();
  row.scrollIntoView({ block: "nearest" });
}

function take(path) {
  const input = target;
  dialog.close();
  input.value = path;
  input.focus();
  for (const name of ["input", "change"]) input.dispatchEvent(new Event(name, { bubbles: true }));
}

function takeShown() {
  const { path, kind } = listing().dataset;
  const name = part(".browse-file input").value.trim();
  if (kind === "save" && !name) return part(".browse-file input").focus();
  take(kind === "save" ? `${path.replace(/\/$/, "")}/${name}` : path);
}

function click(event) {
  if (event.target === dialog) return dialog.close();
  const pressed = event.target.closest("[data-close], [data-take], [data-go], [data-choose]");
  if (!pressed) return;
  event.preventDefault();
  if (pressed.matches("[data-close]")) dialog.close();
  else if (pressed.matches("[data-take]")) takeShown();
  else if (pressed.matches("[data-go]")) go({ path: pressed.dataset.go, ...(pressed.dataset.up === undefined ? {} : { from: listing().dataset.path }) });
  else if (target.dataset.browse === "save") part(".browse-file input").value = pressed.dataset.name;
  else take(pressed.dataset.choose);
}

function up() {
  const { parent, path } = listing()?.dataset ?? {};
  if (parent) go({ path: parent, from: path });
}

function press(event) {
  const row = event.target.closest(".browse-entry");
  const empty = !event.target.matches("input") || (event.target.type === "search" && !event.target.value);
  if (event.key === "Backspace" && empty) return event.preventDefault(), up();
  if (event.key === "Enter" && event.target.closest(".browse-file")) return event.preventDefault(), takeShown();
  if (event.key === "Enter" && (event.ctrlKey || event.metaKey)) return event.preventDefault(), part("[data-take]").click();
  const all = rows();
  const at = all.indexOf(row);
  const next = { ArrowDown: at + 1, ArrowUp: at - 1, Home: 0, End: all.length - 1 }[event.key];
  if (next !== undefined && all[next] && (row || event.key === "ArrowDown" && event.target.type === "search")) {
    event.preventDefault();
    stand(all[next], all);
  } else if (row && event.key.length === 1 && event.key !== " " && !event.ctrlKey && !event.metaKey && !event.altKey) {
    part("input[type=search]").focus();
  }
}

let waiting;
function filter(event) {
  if (event.target.type !== "search") return;
  const words = event.target.value;
  const { more, path } = listing().dataset;
  if (more !== undefined) {
    clearTimeout(waiting);
    waiting = setTimeout(() => go({ path, q: words }, true), 200);
    return;
  }
  for (const row of dialog.querySelectorAll(".browse-entry")) {
    row.parentElement.hidden = row.dataset.up === undefined && !row.dataset.name.toLowerCase().includes(words.toLowerCase());
  }
  const all = rows();
  for (const [index, one] of all.entries()) one.tabIndex = index ? -1 : 0;
}

async function submit(event) {
  event.preventDefault();
  const form = event.target;
  if (form.matches(".browse-filter")) {
    const first = rows().find((row) => row.dataset.up === undefined);
    return first?.click();
  }
  const body = new FormData(form);
  if (await load(() => fetch(ADDRESS, { method: "POST", headers: { "HX-Request": "true" }, body }))) show();
}
