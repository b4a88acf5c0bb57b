"""The manifest of an archive: its origin, its time, and its content.

An archive is a zip file: `rows/<model>.jsonl` (column names, then one line per row), `data/<path>` (files of the
data folder), and at its end `manifest.json` with the count, size and sha256 of each.
"""

from __future__ import annotations

import json
import zipfile
from collections.abc import Callable
from dataclasses import asdict, dataclass, field
from pathlib import Path, PurePosixPath

from engine.interface.json_types import JsonObject
from web.errors import DomainError

KIND = "OneTrainer Web UI export"
FORMAT = 1
NAME = "manifest.json"
PLACES = ("runs", "models", "datasets", "kept")  # folders of the data folder; the rest is created anew
KEY = "secret_key"
# From each older format to the next: `UPGRADES[1]` turns a manifest of format 1 into format 2.
UPGRADES: dict[int, Callable[[JsonObject], JsonObject]] = {}


class BadArchive(DomainError):
    """This is not an archive of this program, or it is damaged."""


@dataclass
class Manifest:
    version: str
    made_at: str
    database: str
    data_dir: str
    base_dir: str
    migrations: list[tuple[str, str]]  # the newest of each app
    with_secrets: bool
    left_out: list[str]
    rows: dict[str, JsonObject] = field(default_factory=dict)
    files: dict[str, JsonObject] = field(default_factory=dict)

    def to_json(self) -> str:
        return json.dumps({"kind": KIND, "format": FORMAT, **asdict(self)}, indent=1)

    @property
    def size(self) -> int:
        """Bytes of all files, unpacked."""
        return sum(facts["size"] for facts in self.files.values())

    @property
    def row_count(self) -> int:
        return sum(facts["count"] for facts in self.rows.values())


def read_manifest(archive: zipfile.ZipFile) -> Manifest:
    """Raises BadArchive."""
    try:
        facts = json.loads(archive.read(NAME))
        if not isinstance(facts, dict) or facts.pop("kind", None) != KIND:
            raise BadArchive("This zip file was not made by `manage.py export_all`: choose a file that was.")
        manifest = Manifest(**_upgraded(facts))
        manifest.migrations = [(app, name) for app, name in manifest.migrations]
    except (KeyError, ValueError, TypeError, OSError, zipfile.BadZipFile) as error:
        raise BadArchive(f"{NAME} in the archive is missing or damaged: take another copy of the archive.") from error
    _refuse_strange_paths(manifest)
    return manifest


def _upgraded(facts: JsonObject) -> JsonObject:
    number = facts.pop("format")
    if number > FORMAT:
        raise BadArchive(
            f"The archive has format {number}, and this program reads up to {FORMAT}: update the program first."
        )
    for older in range(number, FORMAT):
        facts = UPGRADES[older](facts)
    return facts


def _refuse_strange_paths(manifest: Manifest) -> None:
    """A forged archive must not write outside the data folder."""
    for name in manifest.files:
        path = PurePosixPath(name)
        inside = not path.is_absolute() and ".." not in path.parts and "\0" not in name
        if name != KEY and not (inside and len(path.parts) > 1 and path.parts[0] in PLACES):
            raise BadArchive(f"The archive names the file {name}, which does not belong in a data folder.")


def open_archive(path: Path) -> zipfile.ZipFile:
    """Raises BadArchive."""
    try:
        return zipfile.ZipFile(path)
    except FileNotFoundError as error:
        raise BadArchive(f"There is no file {path}: choose an archive made by `manage.py export_all`.") from error
    except (zipfile.BadZipFile, OSError) as error:
        raise BadArchive(f"{path} is not a complete zip file ({error}): take another copy of the archive.") from error
