// Loaded before anything is drawn, so that a page never flashes in the other colours.
(() => {
  const root = document.documentElement;
  const systemIsDark = matchMedia("(prefers-color-scheme: dark)");

  const chosen = () => localStorage.getItem("theme") || "auto";
  const show = () => {
    const dark = chosen() === "dark" || (chosen() === "auto" && systemIsDark.matches);
    root.dataset.bsTheme = dark ? "dark" : "light";
  };

  root.classList.add("js");
  show();
  systemIsDark.addEventListener("change", show);
  window.theme = {
    chosen,
    choose(name) {
      localStorage.setItem("theme", name);
      show();
      root.dispatchEvent(new CustomEvent("theme-changed", { bubbles: true }));
    },
  };
})();
