"""Print the figures of docs/architecture.md about the code: `python -m tests.house [ROOT]`."""

# ruff: noqa: T201  it prints

from __future__ import annotations

import ast
import re
import subprocess
import sys
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from statistics import median, quantiles

from tests.house.imports import ROOT, circles, file_graph

Function = ast.FunctionDef | ast.AsyncFunctionDef


def tracked(root: Path, *patterns: str) -> list[Path]:
    listed = subprocess.run(["git", "ls-files", *patterns], cwd=root, capture_output=True, text=True, check=True)
    return [root / name for name in listed.stdout.splitlines() if (root / name).is_file()]


def code_files(root: Path) -> list[Path]:
    apart = {"tests", "benchmarks", "migrations"}
    return [path for path in tracked(root, "*.py") if not apart & set(path.relative_to(root).parts)]


def annotations(tree: ast.AST) -> Iterator[ast.expr]:
    """Of parameters and returns."""
    for node in ast.walk(tree):
        if isinstance(node, ast.arg) and node.annotation:
            yield node.annotation
        elif isinstance(node, Function) and node.returns:
            yield node.returns


def imported(tree: ast.AST) -> set[str]:
    """The modules that a file imports; several names of one module count once."""
    nodes = list(ast.walk(tree))
    whole = {alias.name for node in nodes if isinstance(node, ast.Import) for alias in node.names}
    return whole | {node.module for node in nodes if isinstance(node, ast.ImportFrom) and node.module}


def says_any(note: ast.expr) -> bool:
    return any(isinstance(node, ast.Name) and node.id == "Any" for node in ast.walk(note))


def figures(root: Path) -> dict[str, object]:
    files = code_files(root)
    trees = [ast.parse(path.read_text()) for path in files]
    folders = Counter(path.parent.relative_to(root) for path in files if path.name != "__init__.py")
    counts = sorted(len(imported(tree)) for tree, path in zip(trees, files, strict=True) if path.name != "__init__.py")
    notes = [note for tree in trees for note in annotations(tree)]
    lengths = sorted(
        (node.end_lineno or 0) - node.lineno + 1
        for tree in trees
        for node in ast.walk(tree)
        if isinstance(node, Function)
    )
    templates = [line for path in tracked(root, "templates/*.html") for line in path.read_text().splitlines()]
    found = circles(file_graph(root, tuple(files)))
    own_patches = [
        line
        for path in tracked(root, "tests/*.py")
        for line in path.read_text().splitlines()
        if re.search(r"monkeypatch\.setattr\(", line)
    ]
    return {
        "files of code": len(files),
        "folders": len(folders),
        "fullest folder": " with ".join(map(str, folders.most_common(1)[0])),
        "folders with more than 25 files": sum(count > 25 for count in folders.values()),
        "imports of a file: median / 90th percentile": f"{median(counts):g} / {quantiles(counts, n=10)[-1]:g}",
        "import circles (files in them)": f"{len(found)} ({sum(map(len, found))})",
        "share of Any in annotations": f"{sum(map(says_any, notes)) / len(notes):.1%}",
        "functions, lines: median / longest": f"{median(lengths):g} / {lengths[-1]}",
        "template lines over 160 characters": sum(len(line) > 160 for line in templates),
        "monkeypatch.setattr in tests": len(own_patches),
    }


if __name__ == "__main__":
    for name, value in figures(Path(sys.argv[1]).resolve() if len(sys.argv) > 1 else ROOT).items():
        print(f"| {name} | {value} |")
