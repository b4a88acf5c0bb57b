{% load static %}// Only for the moment when the server cannot be reached: a page that says so in place of the browser's own.
const AWAY = "{% url "away" %}";
const KEPT = "away-{% static "css/site.css" %}";
const PARTS = [AWAY, "{% static "css/site.css" %}", "{% static "vendor/tabler/tabler.min.css" %}", "{% static "js/parts/theme.js" %}", "{% static "js/pages/away.js" %}", "{% static "img/icon.svg" %}"];

addEventListener("install", (event) => event.waitUntil(caches.open(KEPT).then((cache) => cache.addAll(PARTS))));

addEventListener("activate", (event) => {
  const older = (names) => names.filter((name) => name.startsWith("away-") && name !== KEPT);
  event.waitUntil(caches.keys().then((names) => Promise.all(older(names).map((name) => caches.delete(name)))));
});

addEventListener("fetch", (event) => {
  if (event.request.mode === "navigate") {
    event.respondWith(fetch(event.request).catch(() => caches.match(AWAY)));
  } else if (PARTS.includes(new URL(event.request.url).pathname)) {
    event.respondWith(fetch(event.request).catch(() => caches.match(event.request)));
  }
});
