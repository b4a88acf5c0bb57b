"""Contents of archives for tests."""

from __future__ import annotations

import json
import zipfile
from pathlib import Path
from typing import Any


def rows_of(archive: Path) -> dict[str, list[dict[str, Any]]]:
    """All rows by table, as dictionaries in the order of their keys."""
    with zipfile.ZipFile(archive) as opened:
        names = [name for name in opened.namelist() if name.startswith("rows/")]
        return {name[5:-6]: _rows(opened.read(name)) for name in names}


def _rows(content: bytes) -> list[dict[str, Any]]:
    names, *rows = [json.loads(line) for line in content.splitlines()]
    return sorted(
        (dict(zip(names, row, strict=True)) for row in rows),
        key=lambda row: str(row["id" if "id" in row else names[0]]),
    )


def files_of(archive: Path) -> dict[str, bytes]:
    with zipfile.ZipFile(archive) as opened:
        return {name[5:]: opened.read(name) for name in opened.namelist() if name.startswith("data/")}


def with_folder(rows: Any, old: Path, new: Path) -> Any:
    """The same rows with one folder replaced by another."""
    return json.loads(json.dumps(rows).replace(f'"{old}', f'"{new}'))


def history_of(archive: Path, folder: Path) -> Any:
    """The rows independent of their place: without the path and the id of the data folder."""
    rows = with_folder(rows_of(archive), folder, Path("/data"))
    return {table: [_anywhere(row) for row in found] for table, found in rows.items()}


def _anywhere(row: dict[str, Any]) -> dict[str, Any]:
    return {name: value for name, value in row.items() if name != "data_folder"}
