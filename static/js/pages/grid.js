// @ts-check
// A run's grid of samples: arrow keys move over steps (up, down) and prompts (left, right).
const MOVES = { ArrowLeft: [0, -1], ArrowRight: [0, 1], ArrowUp: [-1, 0], ArrowDown: [1, 0] };

document.addEventListener("keydown", (event) => {
  const link = event.target.closest?.(".step-grid .thumb-link");
  const move = MOVES[event.key];
  if (!link || !move || event.altKey || event.ctrlKey || event.metaKey || event.shiftKey) return;
  event.preventDefault();
  const next = move[0] ? inColumn(link, move[0]) : inRow(link, move[1]);
  next?.focus();
  next?.scrollIntoView({ block: "nearest", inline: "nearest" });
});

function inRow(link, way) {
  const links = [...link.closest("tr").querySelectorAll(".thumb-link")];
  return links[links.indexOf(link) + way];
}

// If the next row has a gap in this column, use the row after it.
function inColumn(link, way) {
  const cell = link.closest("td");
  const place = [...cell.querySelectorAll(".thumb-link")].indexOf(link);
  let row = cell.parentElement;
  while ((row = way < 0 ? row.previousElementSibling : row.nextElementSibling)) {
    const links = row.cells[cell.cellIndex]?.querySelectorAll(".thumb-link") ?? [];
    if (links.length) return links[Math.min(place, links.length - 1)];
  }
  return null;
}
