// @ts-check
// One draft on the server: changes go one after another, each with the revision that it was made on.
// What is typed while a request is on its way waits, and goes with the next one.

import { openItems } from "./lists.js";

const RETRY = [1000, 2000, 5000, 10_000]; // ms between tries while the server cannot be reached
const LEFT_FOR = 10_000; // ms; a page that is asked for again within that time looks whether its last words arrived
const REQUEST = { "Content-Type": "application/json" };

export class Draft {
  constructor({ address, token, revision, tab, id }) {
    this.address = address;
    this.token = token;
    this.revision = revision;
    this.tab = tab;
    // What the page does with the state, the answers, changes from elsewhere, what is stale, and what was refused.
    this.onState = (/** @type {string} */ _state, _sentence = "") => {};
    this.onAnswer = (/** @type {any} */ _answer) => {};
    this.onNews = () => {};
    this.onStale = (/** @type {string[]} */ _typed) => {};
    this.onRefused = (/** @type {string} */ _sentence) => {};
    this.changes = new Map(); // by field; what is not sent yet
    this.facts = new Map();
    this.sent = new Map(); // what is on its way
    this.sentFacts = new Map();
    this.isStale = false;
    this.isLeaving = false; // its last words are on their way
    this.mayMeetItself = false; // after a reload: the page before may change the draft until this page has sent
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

  // Send what is pending; the promise is kept when all that was typed until now has been answered.
  send() {
    this.busy = this.busy.then(() => this.sendPending());
    return this.busy;
  }

  // Ask for something else, such as {do: "undo"} or {tab: "model"}, after what is on its way.
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

  // What was typed since is newer.
  putBack(changes, facts) {
    this.changes = new Map([...changes, ...this.changes]);
    this.facts = new Map([...facts, ...this.facts]);
  }

  // True where the server took it, false where it refused, null where it could not be reached.
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
    const metItself = answer?.revision === this.revision; // a change of this page was on its way too
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

  // Take up the newest state; what was typed here is dropped, or made again on top of it.
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

  // Ask whether another window or machine changed it meanwhile.
  async look() {
    try {
      const response = await fetch(this.address.replace(/edit\/$/, "revision/"));
      const answer = response.ok ? await readJson(response) : null;
      // One that was on its way while a change was taken here tells of the time before it.
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

  // The page goes away: what is pending goes out with a request that outlives it, and what is on its way once more,
  // since the browser breaks that request off.
  leave() {
    if (this.isLeaving && !(this.changes.size || this.facts.size)) return; // a page is hidden once more as it goes
    const [changes, facts] = [new Map([...this.sent, ...this.changes]), new Map([...this.sentFacts, ...this.facts])];
    if (this.isStale || !(changes.size || facts.size)) return;
    const body = { revision: this.revision, tab: this.tab, seen: {}, changes: [...changes.values()] };
    body.facts = Object.fromEntries(facts);
    if (this.sending || this.isLeaving) body.own = 2; // what is on its way moves the draft on, by facts and changes
    this.remember(body);
    this.isLeaving = true;
    this.sent = changes;
    [this.changes, this.facts] = [new Map(), new Map()];
    fetch(this.address, { ...this.request(body), keepalive: true })
      .then((response) => this.take(response), () => null)
      .then((taken) => this.hasLeft(taken, changes, facts));
  }

  // What became of the last words, where the page is still there: it was only hidden, or the next one takes its time.
  hasLeft(taken, changes, facts) {
    this.isLeaving = false;
    this.sent = new Map();
    // The next page may have been written before they arrived, so it looks once more.
    if (taken) return this.remember({ changes: [], facts: {} });
    this.putBack(changes, facts);
    if (taken === null) this.tryAgain();
    else if (!this.isStale) this.busy = this.busy.then(() => this.sendOnNewest());
  }

  remember(words) {
    sessionStorage.setItem(this.memory, JSON.stringify({ ...words, at: Date.now() }));
  }

  // After a reload: the last words of the page before may have arrived too late to be shown, or not at all.
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
