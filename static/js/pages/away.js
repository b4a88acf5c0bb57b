// @ts-check
// Replaces any page while the server or its database is away: try every few seconds, and load the page when the server
// answers.
const EVERY = 3_000; // ms

setInterval(async () => {
  const answer = await fetch("/healthz", { cache: "no-store" }).catch(() => null);
  if (answer) location.reload();
}, EVERY);
