// @ts-check
// One draft on the server: changes are sent one after another, each with the revision that it was made on.
// Changes that are typed during a request wait for the next request.

import { openItems } from "./lists.js";

const RETRY = [1000, 2000, 5000, 10_000]; // ms between tries while the server cannot be reached
const LEFT_FOR = 10_000; // ms; a page that is loaded again within this time checks if its last changes arrived
const REQUEST = { "Content-Type": "application/json" };

export class Draft {
  constructor({ address, token, revision, tab, id }) {
    this.address = address;
    this.token = token;
    this.revision = revision;
    this.tab = tab;
    // Callbacks of the page: state, answers, changes from other windows, stale inputs and refusals.
    this.onState = (/** @type {string} */ _state, _sentence = "") => {};
    this.onAnswer = (/** @type {any} */ _answer) => {};
    this.onNews = () => {};
    this.onStale = (/** @type {string[]} */ _typed) => {};
    this.onRefused = (/** @type {string} */ _sentence) => {};
    this.changes = new Map(); // by field; changes that are not sent yet
    this.facts = new Map();
    this.sent = new Map(); // changes in the current request
    this.sentFacts = new Map();
    this.isStale = false;
    this.isLeaving = false; // its last changes are being sent
    this.mayMeetItself = false; // after a reload: the previous page may change the draft until this page has sent a change
    /** @type {Promise<any>} */
    this.busy = Promise.resolve();
    this.tries = 0;
    this.memory = `draft-${id}`;
    this.channel = new BroadcastChannel(`draft-${id}`);
    this.channel.onmessage = (event) => this.hear(event.data);
  }

  get isPending() {
    return this.changes.size > 0 || this.facts.size > 0 || this.sent.size > 0;
  }

  isTyped(path) {
    return this.changes.has(path) || this.sent.has(path);
  }

  change(path, change) {
    this.changes.set(path, { field: path, ...change });
  }

  fact(name, text) {
    this.facts.set(name, text);
  }

  // Send pending changes; the promise resolves when all changes typed until now have been answered.
  send() {
    this.busy = this.busy.then(() => this.sendPending());
    return this.busy;
  }

  // Send another request, for example {do: "undo"} or {tab: "model"}, after the current request.
  ask(what) {
    this.busy = this.busy.then(() => this.sendPending()).then(() => this.isStale || this.post(what));
    return this.busy;
  }

  reset(path, toStart) {
    this.changes.delete(path);
    return this.ask({ reset: path, to_start: toStart });
  }

  async sendPending() {
    if (this.isStale || !(this.changes.size || this.facts.size)) return;
    [this.sent, this.sentFacts] = [this.changes, this.facts];
    const facts = this.facts;
    [this.changes, this.facts] = [new Map(), new Map()];
    const taken = await this.post({ changes: [...this.sent.values()], facts: Object.fromEntries(facts) });
    if (!taken) this.putBack(this.sent, facts);
    [this.sent, this.sentFacts] = [new Map(), new Map()];
    if (taken === null) this.tryAgain();
    if (taken === false && !this.isStale) return this.sendOnNewest();
  }

  // Changes typed since then are newer.
  putBack(changes, facts) {
    this.changes = new Map([...changes, ...this.changes]);
    this.facts = new Map([...facts, ...this.facts]);
  }

  // True if the server accepted the request, false if it refused, null if it could not be reached.
  async post(what) {
    this.onState("sending");
    this.sending = true;
    const body = { revision: this.revision, tab: this.tab, ...what };
    if (body.tab === this.tab) [body.seen, body.open] = [seenFields(), openItems()];
    if (document.getElementById("editor-json")) body.json = true;
    let response;
    try {
      response = await fetch(this.address, this.request(body));
    } catch {
      this.onState("failed", gettext("Not saved: the server cannot be reached. Trying again."));
      return null;
    } finally {
      this.sending = false;
    }
    return this.take(response);
  }

  request(body) {
    return { method: "POST", headers: { ...REQUEST, "X-CSRFToken": this.token }, body: JSON.stringify(body) };
  }

  async take(response) {
    const answer = await readJson(response);
    if (response.ok && answer) {
      this.tries = 0;
      const moved = answer.revision !== this.revision;
      [this.revision, this.tab] = [answer.revision, answer.tab];
      this.onState("saved");
      this.onAnswer(answer);
      if (moved) this.channel.postMessage(answer.revision);
      return true;
    }
    if (response.status === 409) return this.refusedAsStale(answer);
    const sentence = answer?.detail ?? gettext("The server refused the change: reload the page.");
    this.onState("failed", gettext("Not saved"));
    this.onRefused(sentence);
    return response.status >= 500 ? null : true; // a refused change is dropped; the page says so
  }

  refusedAsStale(answer) {
    const metItself = answer?.revision === this.revision; // a change of this page was being sent too
    if (metItself || this.mayMeetItself) return false;
    this.onState("failed", gettext("Not saved"));
    this.isStale = true;
    queueMicrotask(() => this.goStale());
    return false;
  }

  async sendOnNewest() {
    this.mayMeetItself = false;
    await this.post({});
    return this.sendPending();
  }

  goStale() {
    const named = [...this.changes.keys(), ...this.facts.keys()];
    setTimeout(() => this.onStale([...new Set([...named, ...this.changes.keys(), ...this.facts.keys()])]));
  }

  tryAgain() {
    const wait = RETRY[Math.min(this.tries++, RETRY.length - 1)];
    setTimeout(() => this.send(), wait);
  }

  // Load the newest state; changes typed here are dropped, or applied again on top of it.
  async showNewest(again) {
    if (!again) [this.changes, this.facts] = [new Map(), new Map()];
    this.isStale = false;
    const [changes, facts] = [this.changes, this.facts];
    [this.changes, this.facts] = [new Map(), new Map()];
    await this.post({});
    [this.changes, this.facts] = [changes, facts];
    if (again) await this.send();
  }

  // Another window of this browser changed the draft.
  hear(revision) {
    if (revision > this.revision) this.fallBehind();
  }

  // Ask if another window or machine has changed the draft.
  async look() {
    try {
      const response = await fetch(this.address.replace(/edit\/$/, "revision/"));
      const answer = response.ok ? await readJson(response) : null;
      // An answer that was sent before a change of this page was accepted is out of date.
      if (answer && answer.revision > this.revision && !this.sent.size) this.fallBehind();
    } catch {
      this.onState("failed", gettext("The server cannot be reached."));
    }
  }

  fallBehind() {
    if (this.isStale) return;
    if (this.isPending) {
      this.isStale = true;
      this.goStale();
    } else {
      this.busy = this.busy.then(() => this.post({})).then((taken) => taken === true && this.onNews());
    }
  }

  // The page closes: pending changes are sent with a request that outlives it, and those of the current request again,
  // since the browser aborts that request.
  leave() {
    if (this.isLeaving && !(this.changes.size || this.facts.size)) return; // a page is hidden again as it closes
    const [changes, facts] = [new Map([...this.sent, ...this.changes]), new Map([...this.sentFacts, ...this.facts])];
    if (this.isStale || !(changes.size || facts.size)) return;
    const body = { revision: this.revision, tab: this.tab, seen: {}, changes: [...changes.values()] };
    body.facts = Object.fromEntries(facts);
    if (this.sending || this.isLeaving) body.own = 2; // the current request also raises the revision, by facts and changes
    this.remember(body);
    this.isLeaving = true;
    this.sent = changes;
    [this.changes, this.facts] = [new Map(), new Map()];
    fetch(this.address, { ...this.request(body), keepalive: true })
      .then((response) => this.take(response), () => null)
      .then((taken) => this.hasLeft(taken, changes, facts));
  }

  // The answer to the last changes, if the page is still open: it was only hidden, or the next page loads slowly.
  hasLeft(taken, changes, facts) {
    this.isLeaving = false;
    this.sent = new Map();
    // The next page may have been rendered before they arrived, so it checks again.
    if (taken) return this.remember({ changes: [], facts: {} });
    this.putBack(changes, facts);
    if (taken === null) this.tryAgain();
    else if (!this.isStale) this.busy = this.busy.then(() => this.sendOnNewest());
  }

  remember(words) {
    sessionStorage.setItem(this.memory, JSON.stringify({ ...words, at: Date.now() }));
  }

  // After a reload: the last changes of the previous page may have arrived too late to be shown, or not at all.
  async comeBack() {
    const left = JSON.parse(sessionStorage.getItem(this.memory) ?? "null");
    sessionStorage.removeItem(this.memory);
    if (!left || performance.timeOrigin - left.at > LEFT_FOR) return;
    await this.ask({});
    for (const { field, ...change } of left.changes) this.change(field, change);
    for (const [name, text] of Object.entries(left.facts)) this.fact(name, text);
    this.mayMeetItself = true;
    await this.send();
    this.mayMeetItself = false;
  }
}

function seenFields() {
  const fields = document.querySelectorAll("#editor-tab [data-field]");
  return Object.fromEntries([...fields].map((field) => [field.dataset.field, field.dataset.state]));
}

async function readJson(response) {
  if (!response.headers.get("Content-Type")?.includes("json")) return null;
  return response.json();
}
