"""The contents of a OneTrainer workspace, read from names and small files alone.

A workspace can hold several trainings one after the other: each writes `tensorboard/<prefix><time>/` and
`config/<prefix><time>.json` when it starts, and all its later files have their time in their names. Nothing in a
workspace is changed here. Standard library only.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import datetime, timedelta, timezone
from pathlib import Path
from typing import Any
from zipfile import is_zipfile

from engine.builtin.families.model_files import NotAModel, read_shapes
from engine.interface.errors import BadBackup
from engine.interface.files import MANIFEST, verify
from engine.interface.json_types import JsonObject
from engine.paths.here import opened
from engine.paths.policy import Purpose
from engine.tokens import without_secrets

FOLDERS = ("config", "tensorboard", "samples", "backup", "save")
STAMP, STAMP_FORMAT = r"\d{4}-\d\d-\d\d_\d\d-\d\d-\d\d", "%Y-%m-%d_%H-%M-%S"
START = re.compile(rf"(?P<prefix>.*?)(?P<stamp>{STAMP})")
MADE = re.compile(
    rf"(?P<prefix>.*?)(?P<stamp>{STAMP})-(?P<kind>training-sample|backup|save)"
    r"-(?P<step>\d{1,15})-(?P<epoch>\d{1,9})-(?P<epoch_step>\d{1,9})(?P<suffix>\.\w{1,12})?"
)
EVENTS = re.compile(r"events\.out\.tfevents\.(?P<time>\d{1,12})\.(?P<host>.*)\.(?P<pid>\d{1,9})\.\d+")
SHOWN = {".png", ".jpg", ".jpeg", ".webp", ".gif", ".avif", ".mp4", ".webm"}
WITHOUT_EMA = " - no-ema"
MOST_BYTES = 20_000_000  # of a config
START_SECONDS = 60  # a training writes its config at most this long after its log
A_QUARTER = 15 * 60  # seconds; time zones differ by multiples of it
FURTHEST = 14 * 3600  # seconds; no time zone is farther from UTC


@dataclass(frozen=True)
class WorkspaceFile:
    """A sample, backup or saved model, with the facts in its name."""

    path: Path
    kind: str
    prefix: str
    stamp: datetime
    step: int
    epoch: int
    epoch_step: int


@dataclass
class WorkspaceTraining:
    """One start of OneTrainer in a workspace, and its files; times are as in names, without a time zone."""

    workspace: Path
    name: str
    prefix: str
    stamp: datetime
    log: Path | None = None
    config_file: Path | None = None
    config: JsonObject = field(default_factory=dict)
    files: list[WorkspaceFile] = field(default_factory=list)
    model: Path | None = None
    problems: list[str] = field(default_factory=list)

    def of_kind(self, kind: str) -> list[WorkspaceFile]:
        return [file for file in self.files if file.kind == kind]

    def event_files(self) -> list[Path]:
        """In the order in which they were written: their names begin with the time."""
        found = _entries(self.log) if self.log else []
        return [path for path in found if EVENTS.fullmatch(path.name) and path.is_file()]

    def process(self) -> tuple[float, str, int] | None:
        """(seconds since 1970, host, pid) of the process that writes the newest log, as the log's name says."""
        names = [EVENTS.fullmatch(path.name) for path in self.event_files()]
        last = names[-1] if names else None
        return (float(last["time"]), last["host"], int(last["pid"])) if last else None

    def moment(self, stamp: datetime) -> datetime:
        """A time from a name as a moment: the log shows the difference between the writer's clock and UTC."""
        first = next((EVENTS.fullmatch(path.name) for path in self.event_files()), None)
        if first is None:
            return stamp.astimezone()
        away = self.stamp.replace(tzinfo=timezone.utc).timestamp() - float(first["time"])
        offset = round(away / A_QUARTER) * A_QUARTER
        if abs(offset) > FURTHEST:  # the name does not show when the log was begun
            return stamp.astimezone()
        return (stamp - timedelta(seconds=offset)).replace(tzinfo=timezone.utc)

    def steps_per_epoch(self) -> int:
        """Micro-batches, from the names of files of a later epoch; 0 if there are none."""
        for file in reversed(self.files):
            if file.epoch > 0 and file.step > file.epoch_step:
                return (file.step - file.epoch_step) // file.epoch
        return 0

    def last_write(self) -> float:
        """The time of its last write, in seconds since 1970; 0 if nothing is left of it."""
        paths = [*self.event_files(), *(file.path for file in self.files[-5:])]
        paths += [path for path in (self.model, self.config_file) if path]
        return max((_modified(path) for path in paths), default=0.0)


def is_workspace(folder: Path) -> bool:
    return any((folder / name).is_dir() for name in FOLDERS)


def read_workspace(folder: Path, home: Path | None = None) -> list[WorkspaceTraining]:
    """The trainings in the workspace, oldest first; relative paths start at `home` if the workspace shows no start.

    Raises OSError if the folder cannot be read.
    """
    next(folder.iterdir(), None)
    trainings = _starts(folder)
    for file in sorted(_all_files(folder), key=lambda one: (one.stamp, one.step, str(one.path))):
        _training_of(file, trainings, folder).files.append(file)
    trainings.sort(key=lambda one: one.stamp)
    for training in trainings:
        _read_config(training)
        _make_paths_absolute(training, home)
    _find_models(trainings, home)
    return trainings


def sample_place(file: WorkspaceFile) -> tuple[int, str, bool] | None:
    """(index, beginning of the prompt, whether without EMA) from a sample's folder; None for a custom sample."""
    folder = file.path.parent.name
    kept = folder.removesuffix(WITHOUT_EMA)
    index, _, prompt = kept.partition(" - ")
    return (int(index), prompt, kept != folder) if index.isdecimal() and len(index) < 7 else None


def is_same_prompt(prompt: str, beginning: str) -> bool:
    """Whether a folder's name stands for this prompt: such names keep letters, digits and a few signs, 32 at most."""
    kept = "".join(letter for letter in prompt if letter.isalnum() or letter in " ._-#").strip()
    return kept[:32].strip() == beginning


def _storable(value: Any) -> Any:
    """Without characters that no database stores as text."""
    if isinstance(value, dict):
        return {_clean(key): _storable(item) for key, item in value.items()}
    if isinstance(value, list):
        return [_storable(item) for item in value]
    return _clean(value) if isinstance(value, str) else value


def _clean(text: str) -> str:
    """Without NUL and lone surrogates, which JSON can write and databases refuse."""
    return text.replace("\x00", "").encode(errors="ignore").decode()


def is_complete(backup: Path) -> bool:
    """True if OneTrainer finished writing it: the config is written last."""
    return _is_json(backup / "meta.json") and _is_json(backup / "onetrainer_config" / "args.json")


def is_whole(backup: Path) -> bool:
    """True if it is finished and none of its weights is cut off, by their headers or last bytes.

    A backup that was written here has a manifest, and is then checked to the last bit.
    """
    weights = list(backup.rglob("*.safetensors"))
    try:
        if (backup / MANIFEST).exists():
            verify(backup)
        return (
            bool(weights)
            and is_complete(backup)
            and all(read_shapes(file) is not None for file in weights)
            and all(is_zipfile(file) for file in backup.rglob("*.pt"))
        )
    except (OSError, BadBackup, NotAModel):
        return False


# -- finding -------------------------------------------------------------------------------------------------------


def _starts(folder: Path) -> list[WorkspaceTraining]:
    """One training for each log, and for each config whose log is gone."""
    trainings: list[WorkspaceTraining] = []
    for path in _entries(folder / "tensorboard"):
        if path.is_dir() and (found := _start(folder, path.name)):
            found.log = path
            trainings.append(found)
    for path in _entries(folder / "config"):
        if path.suffix == ".json" and (found := _start(folder, path.stem)):
            found.config_file = path
            _join(found, trainings)
    return trainings


def _start(folder: Path, name: str) -> WorkspaceTraining | None:
    match = START.fullmatch(name)
    stamp = _stamp(match["stamp"]) if match else None
    return WorkspaceTraining(folder, name, match["prefix"], stamp) if match and stamp else None


def _join(config: WorkspaceTraining, trainings: list[WorkspaceTraining]) -> None:
    """Give the config to the training that had just begun when it was written."""
    begun = [
        one
        for one in trainings
        if one.prefix == config.prefix and 0 <= (config.stamp - one.stamp).total_seconds() <= START_SECONDS
    ]
    nearest = max(begun, key=lambda one: one.stamp, default=None)
    if nearest is not None and nearest.config_file is None:
        nearest.config_file = config.config_file
    else:
        trainings.append(config)


def _all_files(folder: Path) -> Iterator[WorkspaceFile]:
    for place in _entries(folder / "samples"):
        yield from _files_in(place, {"training-sample"})
    yield from _files_in(folder / "backup", {"backup"})
    yield from _files_in(folder / "save", {"save"})


def _files_in(folder: Path, kinds: set[str]) -> Iterator[WorkspaceFile]:
    for path in _entries(folder):
        match = MADE.fullmatch(path.name)
        stamp = _stamp(match["stamp"]) if match else None
        if match is None or stamp is None or match["kind"] not in kinds or not _is_usable(path, match["kind"]):
            continue
        kind = "sample" if match["kind"] == "training-sample" else match["kind"]
        numbers = (int(match[name]) for name in ("step", "epoch", "epoch_step"))
        yield WorkspaceFile(path, kind, match["prefix"], stamp, *numbers)


def _is_usable(path: Path, kind: str) -> bool:
    """A backup is a finished folder; files that are still empty are left for later."""
    if kind == "backup":
        return is_complete(path)
    if kind == "training-sample" and path.suffix.lower() not in SHOWN:
        return False
    return path.is_dir() or _size(path) > 0


def _training_of(file: WorkspaceFile, trainings: list[WorkspaceTraining], folder: Path) -> WorkspaceTraining:
    """The newest training begun before this file was written, among those with its prefix if the name has one."""
    begun = [one for one in trainings if one.stamp <= file.stamp]
    alike = [one for one in begun if file.prefix and one.prefix == file.prefix]
    if begun:
        return max(alike or begun, key=lambda one: one.stamp)
    earliest = WorkspaceTraining(folder, f"{file.prefix}{file.stamp:{STAMP_FORMAT}}", file.prefix, file.stamp)
    trainings.append(earliest)  # its log and config were removed since
    return earliest


def _read_config(training: WorkspaceTraining) -> None:
    backups = reversed(training.of_kind("backup"))
    files = [training.config_file, *(one.path / "onetrainer_config" / "args.json" for one in backups)]
    for file in filter(None, files):
        try:
            training.config = _storable(without_secrets(_read_json(file)))
        except (OSError, ValueError, RecursionError) as error:
            training.problems.append(f"The config {file.name} could not be read ({error}).")
        else:
            break
    for field_name, file_name in (("concepts", "concepts.json"), ("samples", "samples.json")):
        if training.config and not training.config.get(field_name):
            _read_list(training, field_name, file_name)


def _read_list(training: WorkspaceTraining, field_name: str, file_name: str) -> None:
    """A backup keeps concepts and samples in files beside its config."""
    for backup in reversed(training.of_kind("backup")):
        file = backup.path / "onetrainer_config" / file_name
        if file.is_file():
            try:
                training.config[field_name] = _storable(without_secrets(_read_json(file, list)))
            except (OSError, ValueError, RecursionError) as error:
                training.problems.append(f"{file_name} of the backup {backup.path.name} could not be read ({error}).")
            return


def _make_paths_absolute(training: WorkspaceTraining, home: Path | None) -> None:
    """Make the paths absolute that a resumed training reads; a relative destination is left as it is."""
    root, config = _root(training, home), training.config
    name = config.get("base_model_name")
    if isinstance(name, str) and name and _is_there(root / name):
        config["base_model_name"] = str(root / name)
    concepts = config.get("concepts")
    for concept in concepts if isinstance(concepts, list) else []:
        if isinstance(concept, dict):
            _make_absolute(concept, "path", root)
            _make_absolute(concept.get("text"), "prompt_path", root)


def _make_absolute(holder: Any, key: str, root: Path) -> None:
    if isinstance(holder, dict) and isinstance(path := holder.get(key), str) and path:
        holder[key] = str(root / Path(path).expanduser())


def _is_there(path: Path) -> bool:
    try:
        return path.exists()
    except (OSError, ValueError):  # a name that no file can have
        return False


def _find_models(trainings: list[WorkspaceTraining], home: Path | None) -> None:
    """A final model belongs to the last training with its destination that had begun when it was written."""
    owners: dict[Path, WorkspaceTraining] = {}
    for training in trainings:
        for path in _destinations(training, home):
            if _is_there(path) and _modified(path) >= training.moment(training.stamp).timestamp():
                owners[path] = training
    for path, training in owners.items():
        training.model = path


def _destinations(training: WorkspaceTraining, home: Path | None) -> Iterator[Path]:
    named = training.config.get("output_model_destination")
    if not isinstance(named, str) or not named or "\x00" in named:
        return
    path = _root(training, home) / named
    single_file = training.config.get("output_model_format") not in ("DIFFUSERS", "INTERNAL")
    if not (path.is_dir() and single_file):
        yield path
        return
    for entry in _entries(path):  # of a folder that several trainings write to, only entries with the model's name
        match = START.fullmatch(entry.stem)
        if match and match["prefix"] == training.prefix and entry.is_file():
            yield entry


def _root(training: WorkspaceTraining, home: Path | None) -> Path:
    """The start of OneTrainer's relative paths: the parent of a relative workspace_dir, else `home`."""
    named = training.config.get("workspace_dir")
    if isinstance(named, str) and named and not Path(named).is_absolute():
        parts = Path(named).parts
        if training.workspace.parts[-len(parts) :] == parts:
            return training.workspace.joinpath(*[".."] * len(parts)).resolve()
    return home or training.workspace


# -- reading -------------------------------------------------------------------------------------------------------


def _entries(folder: Path) -> list[Path]:
    """The entries of the folder, by name; nothing if it is missing, because it may disappear at any moment.

    A name that is not valid text is not one of OneTrainer's, and no database would accept it.
    """
    try:
        return sorted(path for path in folder.iterdir() if is_text(path.name))
    except (FileNotFoundError, NotADirectoryError, PermissionError):
        return []


def is_text(name: str) -> bool:
    """Whether a file's name is valid UTF-8; Python keeps other bytes as lone surrogates."""
    try:
        name.encode()
    except UnicodeEncodeError:
        return False
    return True


def _stamp(text: str) -> datetime | None:
    try:
        return datetime.strptime(text, STAMP_FORMAT)
    except ValueError:
        return None


def _read_json(path: Path, kind: type = dict) -> Any:
    with opened(path, Purpose.READ_CONFIG) as file:
        text = file.read(MOST_BYTES + 1)
    if len(text) > MOST_BYTES:
        raise ValueError("it is too large for a config")
    content = json.loads(text.decode("utf-8"), parse_constant=_refuse)
    if not isinstance(content, kind):
        raise ValueError(f"it is not a JSON {'object' if kind is dict else 'list'}")
    return content


def _refuse(name: str) -> None:
    raise ValueError(f"{name} is no JSON")


def _is_json(path: Path) -> bool:
    try:
        return bool(_read_json(path))
    except (OSError, ValueError, RecursionError):
        return False


def _size(path: Path) -> int:
    try:
        return path.stat().st_size
    except OSError:
        return 0


def _modified(path: Path) -> float:
    try:
        return path.stat().st_mtime
    except OSError:
        return 0.0
