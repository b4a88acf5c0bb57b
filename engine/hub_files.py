"""Which files of a model on the hub a training needs, and how large they are. No torch, no Django."""

from __future__ import annotations

import re
from collections import defaultdict

from engine.base_models import known_bytes
from engine.builtin.families.model_files import hub_cache

INDEX = "model_index.json"
TEXTS = (".json", ".txt", ".model", ".jinja")
WEIGHTS = ".safetensors"
NOT_NEEDED = ("safety_checker", "feature_extractor", "image_encoder")  # a training does without them
VARIANT = re.compile(r"\.(fp16|bf16|fp32|fp8[\w]*|non_ema|ema)(?=[.-])")
SHARD = re.compile(r"-\d{5}-of-\d{5}(?=\.safetensors$)")
SHARDS_FIRST = "diffusion_pytorch_model"  # of it diffusers takes the shards where both are there
ASK_SECONDS = 5.0


def choose(names: list[str], parts: set[str] | None) -> list[str]:
    """The files to fetch: configs, tokenizers and safetensors of each part, each in its plain precision once.

    `parts` are the folders that a `model_index.json` names; None for a model without one.
    """
    by_folder: dict[str, list[str]] = defaultdict(list)
    for name in names:
        folder, _slash, file = name.rpartition("/")
        taken = folder in parts if parts is not None and folder else folder.count("/") == 0
        if taken and not file.startswith(".") and folder != "original":
            by_folder[folder].append(name)
    has_config = {folder for folder, files in by_folder.items() if f"{folder}/config.json".lstrip("/") in files}
    chosen = []
    for folder, files in by_folder.items():
        texts = [name for name in files if name.endswith(TEXTS) and not VARIANT.search(name)]
        weights = [name for name in files if name.endswith(WEIGHTS)]
        if parts is not None:
            chosen += texts if folder else [name for name in texts if name == INDEX]
            chosen += _weights(weights) if folder else []
        elif not folder or folder in has_config:
            chosen += [*texts, *_weights(weights)]
    return sorted(chosen)


def _weights(names: list[str]) -> list[str]:
    """The weights of one folder: the plain precision, or the first variant; shards or one file, not both."""
    plain = [name for name in names if not VARIANT.search(name)]
    variants = sorted({found[0] for name in names if (found := VARIANT.search(name))})
    kept = plain or [name for name in names if variants and variants[0] in name]
    stems: dict[str, dict[bool, list[str]]] = defaultdict(lambda: {True: [], False: []})
    for name in kept:
        stems[SHARD.sub("", name)][bool(SHARD.search(name))].append(name)
    chosen = []
    for stem, ways in stems.items():
        shards_first = stem.rpartition("/")[2].startswith(SHARDS_FIRST)
        chosen += (ways[shards_first] or ways[not shards_first]) if ways[True] else ways[False]
    return chosen


def bytes_to_fetch(name: str, cache_dir: str = "") -> int | None:
    """The size of the files that are still to fetch; None if neither the catalogue nor the hub tells it."""
    size = known_bytes(name) or _asked_of_the_hub(name)
    if size is None:
        return None
    blobs = hub_cache(cache_dir) / f"models--{name.replace('/', '--')}" / "blobs"
    return max(0, size - sum(path.stat().st_size for path in blobs.glob("*") if path.is_file()))


def _asked_of_the_hub(name: str) -> int | None:
    from huggingface_hub import HfApi  # slow to import, and seldom needed

    try:
        info = HfApi().model_info(name, files_metadata=True, timeout=ASK_SECONDS, token=False)
    except Exception:  # noqa: BLE001  whatever the hub or the network answers, the size is not known
        return None
    sizes = {entry.rfilename: entry.size or 0 for entry in info.siblings or []}
    folders = {file.rpartition("/")[0] for file in sizes}
    parts = folders - set(NOT_NEEDED) if INDEX in sizes else None
    return sum(sizes[file] for file in choose(list(sizes), parts))
