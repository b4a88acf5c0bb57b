// @ts-check
// The WebSocket, its reconnects, and polling while it is not connected.
// `live-refresh` on the body means: the server would now render a different page.

const FIRST_DELAY = 500; // ms until the first try to reconnect; doubled with each try
const LONGEST_DELAY = 8_000;
const POLL = 5_000; // ms between two refreshes while there is no connection, or it brings no news
const PING = 5_000; // ms; a connection is lost if a ping is not answered before the next ping
const GATHER = 150; // ms; all refreshes within this time share one request

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
      setTimeout(open, delay * (0.5 + Math.random())); // so that pages do not all reconnect at the same moment
      delay = Math.min(delay * 2, LONGEST_DELAY);
    };
    const timer = setInterval(() => {
      if (unanswered) return lose(); // neither a frozen server nor an unplugged cable closes the socket
      unanswered = true;
      if (socket.readyState === WebSocket.OPEN) socket.send("ping");
    }, PING);
    socket.addEventListener("open", () => {
      delay = FIRST_DELAY;
      unanswered = false;
      tell(address, "on");
      if (opened++) refresh(); // messages during the gap were missed
    });
    socket.addEventListener("message", (event) => {
      if (gone.signal.aborted) return;
      unanswered = false;
      const message = JSON.parse(event.data);
      if (message.type === "live") takeLive(address, message.data.is_live);
      else onMessage(message);
    });
    socket.addEventListener("close", lose);
    addEventListener("offline", lose, { signal: gone.signal }); // a socket does not notice that it is offline
  };
  open();
}

// The server answers but gets no news itself, so the page must poll.
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
