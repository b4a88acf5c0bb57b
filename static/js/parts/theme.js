// @ts-check
// Loaded before the first paint, so that a page never flashes in the other colours.
(() => {
  const root = document.documentElement;
  const systemIsDark = matchMedia("(prefers-color-scheme: dark)");

  const chosen = () => localStorage.getItem("theme") || "auto";
  const show = () => {
    const dark = chosen() === "dark" || (chosen() === "auto" && systemIsDark.matches);
    root.dataset.bsTheme = dark ? "dark" : "light";
  };

  // so that the server shows times in the browser's time zone
  document.cookie = `timezone=${encodeURIComponent(Intl.DateTimeFormat().resolvedOptions().timeZone)}; path=/; max-age=31536000; samesite=lax`;

  root.classList.add("js");
  show();
  const showAnew = () => {
    show();
    root.dispatchEvent(new CustomEvent("theme-changed", { bubbles: true }));
  };
  systemIsDark.addEventListener("change", showAnew);
  window.theme = {
    chosen,
    choose(name) {
      localStorage.setItem("theme", name);
      showAnew();
    },
  };
})();
