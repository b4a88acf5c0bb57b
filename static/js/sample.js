// Arrow keys lead to the neighbours: up and down between steps, left and right between prompts.
addEventListener("keydown", (event) => {
  if (event.altKey || event.ctrlKey || event.metaKey || event.shiftKey) return;
  if (event.target.closest("input, textarea, select")) return;
  const link = document.querySelector(`[data-key="${event.key}"]`);
  if (!link) return;
  event.preventDefault();
  link.click();
});
