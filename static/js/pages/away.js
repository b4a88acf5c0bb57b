// @ts-check
// Shown in place of any page while the server or its database is away: look again every few seconds, and load that page
// once the server answers.
const EVERY = 3_000; // ms

setInterval(async () => {
  const answer = await fetch("/healthz", { cache: "no-store" }).catch(() => null);
  if (answer) location.reload();
}, EVERY);
