// @ts-check
// The WebSocket with its reconnecting, and polling while it is away.
// `live-refresh` on the body means: what the server would render now differs from what is shown.

const FIRST_DELAY = 500; // ms until the first try to reconnect; doubled with each further one
const LONGEST_DELAY = 8_000;
const POLL = 5_000; // ms between two refreshes while there is no connection, or news do not come by it
const PING = 5_000; // ms; a connection whose ping is not answered until the next one is lost, whatever it looks like
const GATHER = 150; // ms; several reasons to refresh within that time make one request

const states = new Map();
/** @type {((state: "on" | "waiting") => void)[]} */
const listeners = [];
/** @type {ReturnType<typeof setTimeout> | null} */
// biome-ignore lint/correctness/noUnusedVariables: `??=` reads it
let refreshTimer = null;

export const socketAddress = (/** @type {string} */ path) =>
  `${location.protocol === "https:" ? "wss:" : "ws:"}//${location.host}${path}`;

export function refresh() {
  refreshTimer ??= setTimeout(() => {
    refreshTimer = null;
    document.body.dispatchEvent(new CustomEvent("live-refresh"));
  }, GATHER);
}

/** @param {(state: "on" | "waiting") => void} listener */
export function onConnection(listener) {
  listeners.push(listener);
}

/**
 * @param {string} address
 * @param {"on" | "waiting" | "asking"} state
 */
function tell(address, state) {
  states.set(address, state);
  const all = [...states.values()].every((one) => one === "on");
  for (const listener of listeners) listener(all ? "on" : "waiting");
}

const connected = () => [...states.values()].every((state) => state === "on");

// Call `onMessage({type, data})` for each message, reconnecting for as long as the page is open.
/**
 * @param {string} address
 * @param {(message: {type: string, data: any}) => void} onMessage
 */
export function connect(address, onMessage) {
  let delay = FIRST_DELAY;
  let opened = 0;

  const open = () => {
    const socket = new WebSocket(address);
    const gone = new AbortController();
    let unanswered = false;
    const lose = () => {
      if (gone.signal.aborted) return;
      gone.abort();
      clearInterval(timer);
      socket.close();
      tell(address, "waiting");
      setTimeout(open, delay * (0.5 + Math.random())); // so that not all pages come back in the same moment
      delay = Math.min(delay * 2, LONGEST_DELAY);
    };
    const timer = setInterval(() => {
      if (unanswered) return lose(); // a frozen server closes nothing, and neither does a cable that is pulled out
      unanswered = true;
      if (socket.readyState === WebSocket.OPEN) socket.send("ping");
    }, PING);
    socket.addEventListener("open", () => {
      delay = FIRST_DELAY;
      unanswered = false;
      tell(address, "on");
      if (opened++) refresh(); // what happened in between was missed
    });
    socket.addEventListener("message", (event) => {
      if (gone.signal.aborted) return;
      unanswered = false;
      const message = JSON.parse(event.data);
      if (message.type === "live") takeLive(address, message.data.is_live);
      else onMessage(message);
    });
    socket.addEventListener("close", lose);
    addEventListener("offline", lose, { signal: gone.signal }); // no socket hears of that by itself
  };
  open();
}

// The server is there, but hears no news itself, so the page has to ask.
/**
 * @param {string} address
 * @param {boolean} isLive
 */
function takeLive(address, isLive) {
  tell(address, isLive ? "on" : "asking");
  refresh();
}

setInterval(() => {
  if (!connected() && !document.hidden) refresh();
}, POLL);
