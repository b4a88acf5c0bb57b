"""Who imports whom in the project's own code: imports inside functions and for types alone count too."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from functools import cache
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
FLOORS = ("engine", "web", "system", "presets", "training", "samples", "worker", "operations", "onetrainer_site")
Graph = dict[str, set[str]]


def code_of(root: Path = ROOT) -> tuple[Path, ...]:
    """The modules of the floors; migrations are history and left out."""
    files = (path for floor in FLOORS for path in sorted((root / floor).rglob("*.py")))
    return tuple(path for path in files if "migrations" not in path.parts)


def by_name(root: Path, files: tuple[Path, ...]) -> dict[str, Path]:
    return {dotted(path.relative_to(root)): path for path in files}


def dotted(path: Path) -> str:
    return ".".join(path.with_suffix("").parts).removesuffix(".__init__")


@cache
def file_graph(root: Path, files: tuple[Path, ...]) -> Graph:
    """For each module the modules of ours that it imports."""
    known = by_name(root, files)
    return {name: {one for one in imported_by(path, known) if one != name} for name, path in known.items()}


def imported_by(path: Path, known: dict[str, Path]) -> Iterator[str]:
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        for name in _names_in(node):
            nearest = name if name in known else name.rpartition(".")[0]
            if nearest in known:
                yield nearest


def _names_in(node: ast.AST) -> list[str]:
    """What an import names; `apps.get_model("training", "Run")` imports an app's models by another way."""
    match node:
        case ast.Import(names):
            return [alias.name for alias in names]
        case ast.ImportFrom(module=str(module), names=names):
            return [f"{module}.{alias.name}" for alias in names]
        case ast.Call(func=ast.Attribute(attr="get_model"), args=[ast.Constant(value=str(label)), *_]):
            return [f"{label.partition('.')[0]}.models"]
    return []


def room_of(module: str, path: Path) -> str:
    """The folder of a module; a file directly in the folder of a floor, such as models.py or urls.py, stands alone."""
    if path.name == "__init__.py" or module.count(".") == 1:
        return module
    return module.rpartition(".")[0]


def room_graph(root: Path, files: tuple[Path, ...]) -> Graph:
    known = by_name(root, files)
    rooms: Graph = {}
    for module, imported in file_graph(root, files).items():
        found = rooms.setdefault(room_of(module, known[module]), set())
        found.update(room_of(one, known[one]) for one in imported)
    return {room: others - {room} for room, others in rooms.items()}


def circles(graph: Graph) -> list[list[str]]:
    """The groups of names that can be reached from each other: strongly connected components (Tarjan, 1972)."""
    found: list[list[str]] = []
    number: dict[str, int] = {}
    lowest: dict[str, int] = {}
    stack: list[str] = []

    def visit(name: str) -> None:
        number[name] = lowest[name] = len(number)
        stack.append(name)
        for other in sorted(graph.get(name, ())):
            if other not in number:
                visit(other)
            if other in stack:
                lowest[name] = min(lowest[name], lowest[other])
        if lowest[name] == number[name]:
            group = stack[stack.index(name) :]
            del stack[-len(group) :]
            found.extend([sorted(group)] if len(group) > 1 else [])

    for name in sorted(graph):
        if name not in number:
            visit(name)
    return found
