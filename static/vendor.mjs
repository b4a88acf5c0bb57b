// Copy the parts of the npm packages that the pages use into static/vendor, from which they are served.
import { cpSync, mkdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";

const files = {
  "@tabler/core/dist/css/tabler.min.css": "tabler/tabler.min.css",
  "@tabler/core/dist/js/tabler.min.js": "tabler/tabler.min.js",
  "@tabler/icons-webfont/dist/tabler-icons.min.css": "icons/tabler-icons.min.css",
  "@tabler/icons-webfont/dist/fonts": "icons/fonts",
  "htmx.org/dist/htmx.min.js": "htmx/htmx.min.js",
  "uplot/dist/uPlot.esm.js": "uplot/uPlot.esm.js",
  "uplot/dist/uPlot.d.ts": "uplot/uPlot.esm.d.ts", // for the type checker alone: it is not served
  "uplot/dist/uPlot.min.css": "uplot/uPlot.min.css",
  "tus-js-client/dist/tus.min.js": "tus/tus.min.js",
};

rmSync("static/vendor", { recursive: true, force: true });
mkdirSync("static/vendor", { recursive: true });
for (const [from, to] of Object.entries(files)) {
  cpSync(`node_modules/${from}`, `static/vendor/${to}`, { recursive: true });
}

// The source maps are not served, and `collectstatic` refuses files that name missing ones.
for (const file of Object.values(files).filter((name) => /\.(css|js)$/.test(name))) {
  const path = `static/vendor/${file}`;
  writeFileSync(path, readFileSync(path, "utf8").replace(/\n?(\/\*|\/\/)[#@] sourceMappingURL=\S+( ?\*\/)?\s*$/, "\n"));
}
