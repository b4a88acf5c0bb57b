// What the pages' scripts find around them: Django's catalogue of texts, htmx, and the elements that templates write.

declare function gettext(text: string): string;
declare function ngettext(singular: string, plural: string, count: number): string;
declare function interpolate(format: string, values: object, named?: boolean): string;

// tus-js-client, which the page of a data set loads before its script.
declare const tus: any;

interface Window {
  htmx?: { process(element: Element): void };
  theme: { chosen(): string; choose(name: string): void };
}

// The type checker cannot read templates: it takes an element that a script looks up for the kind that the script
// uses it as, and for there. Where an element may be missing, the script asks with `?.` or `if`.
interface ParentNode {
  querySelector(selectors: string): any;
  querySelectorAll(selectors: string): NodeListOf<any>;
}

interface Document {
  getElementById(id: string): any;
}

// Likewise the target of an event is an element as its listener expects it.
interface HTMLElement {
  addEventListener(type: string, listener: (event: any) => unknown, options?: boolean | AddEventListenerOptions): void;
}
interface HTMLBodyElement {
  addEventListener(type: string, listener: (event: any) => unknown, options?: boolean | AddEventListenerOptions): void;
}
interface Document {
  addEventListener(type: string, listener: (event: any) => unknown, options?: boolean | AddEventListenerOptions): void;
}
interface Window {
  addEventListener(type: string, listener: (event: any) => unknown, options?: boolean | AddEventListenerOptions): void;
}
declare function addEventListener(type: string, listener: (event: any) => unknown, options?: boolean | AddEventListenerOptions): void;

// A run as the WebSocket tells of it: `docs/api.md` has the whole message.
interface RunState {
  run_id: string;
  run_name: string;
  run_status: string;
  status: string;
  error?: string;
  attempt: number;
  queue_length: number;
  stale: string;
  start_after?: string | null;
  waits_for?: string;
  activity?: { phase: string; current: number | null; total: number | null; fraction: number | null; text: string } | null;
  max_step: number;
  max_epoch: number;
  progress: { epoch: number; epoch_step: number; global_step: number } | null;
  loss: number | null;
  smooth_loss: number | null;
  steps_per_second: number | null;
  eta_seconds: number | null;
}
