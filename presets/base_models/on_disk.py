"""The base models that are on this machine: in the data folder, in the allowed folders and in the hub's cache."""

from __future__ import annotations

import os
import shutil
from collections.abc import Iterator
from dataclasses import dataclass
from functools import lru_cache
from glob import escape
from pathlib import Path

from django.conf import settings
from django.utils.translation import gettext as _

from engine.builtin.families.model_files import FLUX, SD1, SD2, SD3, SDXL, NotAModel, hub_cache, read_model
from engine.builtin.inspection.folders import files_of_weights
from engine.paths.names import is_hub_name
from engine.paths.policy import Purpose
from presets.models import ModelFetch
from system.models import Job
from web.errors import Forbidden, NotFound
from web.paths.site import open_folders, refusal

MOST_LOOKED_AT = 300  # entries in one folder
SHELVES = (
    "models",
    "stable-diffusion-webui/models/Stable-diffusion",
    "ComfyUI/models/checkpoints",
    "ComfyUI/models/diffusers",
)
FAMILIES = {  # of the catalogue, by the kind that a model's files show
    SD1: "Stable Diffusion 1.5",
    SD2: "Stable Diffusion 2",
    SDXL: "Stable Diffusion XL",
    SD3: "Stable Diffusion 3",
    FLUX: "FLUX.1",
    "Flux2": "FLUX.2",
    "Flux2Klein": "FLUX.2",
    "Chroma": "Chroma",
    "QwenImage": "Qwen-Image",
    "ZImage": "Z-Image",
    "Anima": "Anima",
    "ErnieImage": "ERNIE-Image",
    "Krea2": "Krea 2",
    "Ideogram4": "Ideogram 4",
    "HiDreamImage": "HiDream",
    "HunyuanVideo": "Hunyuan Video",
    "PixArtAlpha": "PixArt",
    "PixArtSigma": "PixArt",
    "Sana": "Sana",
    "StableCascadePrior": "Stable Cascade",
    "WuerstchenPrior": "Würstchen",
}
ENDINGS = (".safetensors", ".gguf")
CACHE, DATA, ROOT = "cache", "data", "root"


@dataclass(frozen=True)
class FoundModel:
    """A model on the disk: a config names it by `name`; `missing` says what it lacks, empty if it is whole."""

    name: str
    title: str
    path: Path
    place: str
    kind: str
    size: int
    missing: str = ""

    @property
    def family(self) -> str:
        """The family in the catalogue; empty if it is none of them."""
        return FAMILIES.get(self.kind, "")

    @property
    def may_be_deleted(self) -> bool:
        """Files elsewhere belong to other programs."""
        return self.place in (CACHE, DATA)


def found_models() -> list[FoundModel]:
    """Every model on this machine, by title."""
    found = {model.path.resolve(): model for model in (*_in_folders(), *_in_hub_cache())}
    return sorted(found.values(), key=lambda model: (model.title.lower(), model.name))


def folders() -> list[tuple[Path, str]]:
    """The folders whose entries are models, with the kind of their place."""
    roots = [root / shelf for root in open_folders() for shelf in SHELVES]
    onetrainer = [settings.ONETRAINER_HOME / "models"] if settings.ONETRAINER_HOME else []
    return [(settings.DATA_DIR / "models", DATA), *((folder, ROOT) for folder in [*roots, *onetrainer])]


def _in_folders() -> Iterator[FoundModel]:
    for folder, place in folders():
        for path in entries(folder):
            if path.name.startswith(".") or refusal(str(path), Purpose.LOAD_MODEL):
                continue
            if (model := _look(path, str(path), path.stem if path.is_file() else path.name, place)) is not None:
                yield model


def _in_hub_cache() -> Iterator[FoundModel]:
    """Base models, and whatever else this site fetched; the cache holds models of other programs too."""
    done = ModelFetch.objects.get_queryset().filter(status=Job.Status.DONE).values_list("arguments__source", flat=True)
    fetched = set(done)
    for path in entries(hub_cache()):
        kind, _dashes, rest = path.name.partition("--")
        name = rest.replace("--", "/", 1)
        if kind != "models" or not is_hub_name(name):
            continue
        snapshot = snapshot_of(path)
        model = _look(snapshot, name, name, CACHE) if snapshot else None
        size = sum(_size(blob) for blob in entries(path / "blobs"))
        if model is not None or (size and (snapshot is None or name in fetched)):
            is_partial = model is None and snapshot is None
            missing = model.missing if model else _("The fetch is not complete: continue it.") if is_partial else ""
            yield FoundModel(name, name, path, CACHE, model.kind if model else "", size, missing)


def snapshot_of(folder: Path) -> Path | None:
    """The snapshot of a model in the hub's cache that programs load; None if there is none."""
    revision = folder / "refs" / "main"
    try:
        snapshot = folder / "snapshots" / revision.read_text().strip()
    except OSError:
        return next((path for path in entries(folder / "snapshots") if path.is_dir()), None)
    return snapshot if snapshot.is_dir() else None


def _look(path: Path, name: str, title: str, place: str) -> FoundModel | None:
    try:
        size, newest = _measure(path)
        kind, missing = _read(str(path), size, newest)
    except OSError:
        return None  # removed at this moment, or not readable
    if kind is None and not (place == DATA and path.suffix.lower() in ENDINGS):
        return None
    return FoundModel(name, title, path, place, kind or "", size, missing)


@lru_cache(maxsize=2 * MOST_LOOKED_AT)
def _read(path: str, size: int, newest: int) -> tuple[str | None, str]:
    """(kind, the fault); the kind is None for files that are no base model. Read once for each content."""
    where = Path(path)
    if not where.is_dir() and where.suffix.lower() not in ENDINGS:
        return None, ""
    if where.suffix.lower() == ".gguf":
        return "", ""
    try:
        kind = read_model(where).kind
        if where.is_dir():
            files_of_weights(where)
    except NotAModel as error:
        return ("" if (where / "model_index.json").exists() else None), str(error)
    except (ValueError, TypeError, KeyError, AttributeError):
        return None, ""
    return kind, ""


def _measure(path: Path) -> tuple[int, int]:
    """The size of all files, and the time of the newest."""
    files = [path] if path.is_file() else [file for file in path.rglob("*") if file.is_file()][:MOST_LOOKED_AT]
    facts = [file.stat() for file in files]
    return sum(one.st_size for one in facts), max((one.st_mtime_ns for one in facts), default=0)


def entries(folder: Path) -> list[Path]:
    """The folder's entries; empty if it does not exist or cannot be read."""
    try:
        with os.scandir(folder) as found:
            return sorted(Path(entry.path) for entry, _ in zip(found, range(MOST_LOOKED_AT), strict=False))
    except OSError:
        return []


def _size(path: Path) -> int:
    try:
        return path.stat().st_size
    except OSError:
        return 0


def delete_files(model: FoundModel) -> None:
    """Remove the model from the disk; the caller has checked that nothing uses it. Raises Forbidden and NotFound."""
    if not model.may_be_deleted:
        raise Forbidden(_("%(path)s is not in the site's own folders: delete it there.") % {"path": model.path})
    try:
        if model.path.is_dir() and not model.path.is_symlink():
            shutil.rmtree(model.path)
        else:
            model.path.unlink()
    except FileNotFoundError as error:
        raise NotFound(_("%(name)s was deleted already.") % {"name": model.title}) from error
    except OSError as error:
        raise Forbidden(
            _("%(path)s cannot be deleted (%(error)s): give the site's user permission.")
            % {"path": model.path, "error": error.strerror}
        ) from error


def delete_partial(row: ModelFetch) -> None:
    """Remove what an ended fetch left: files in progress, not those of a model that is there."""
    if row.is_by_name:
        folder, pattern = hub_cache(row.cache_dir) / f"models--{row.source.replace('/', '--')}" / "blobs", ".*.partial"
    else:
        name = Path(row.model).name
        folder, pattern = settings.DATA_DIR / "models", f".{escape(name)}.*.partial" if name else ""
    for path in folder.glob(pattern) if pattern else ():
        path.unlink(missing_ok=True)
        path.with_suffix(".etag").unlink(missing_ok=True)
