"""Encoded pictures and captions on disk, found by a digest of their sources, so that no old entry is ever used."""

from __future__ import annotations

import hashlib
import json
import logging
import os
import threading
import zlib
from pathlib import Path

import torch
from safetensors import SafetensorError, safe_open
from safetensors.torch import save_file
from torch import Tensor

from engine.interface.errors import DiskFull
from engine.interface.files import FULL, PARTIAL

logger = logging.getLogger("engine")

FORMAT = 1  # part of every key: raise it when the encoding of entries changes

Tensors = dict[str, Tensor]


def cache_key(**facts: object) -> str:
    """A name for these facts; any other fact gives another name."""
    return hashlib.sha256(json.dumps({"format": FORMAT, **facts}, sort_keys=True).encode()).hexdigest()


class TensorCache:
    """A folder of safetensors files, one per entry, which runs may share: an entry is whole or not there."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder

    def get(self, key: str) -> Tensors | None:
        """The entry, or None if it is missing or broken."""
        path = self.path(key)
        try:
            with safe_open(path, framework="pt") as file:
                tensors = {name: file.get_tensor(name) for name in file.keys()}  # noqa: SIM118 not a dict
                expected = (file.metadata() or {}).get("crc32")
        except FileNotFoundError:
            return None
        except (SafetensorError, OSError) as error:
            logger.warning("The cache file %s is broken (%s) and is made again.", path, error)
            return None
        if expected != checksum(tensors):
            logger.warning("The cache file %s is broken (wrong checksum) and is made again.", path)
            return None
        return tensors

    def has(self, key: str) -> bool:
        """True if the entry has a file; only reading shows if it is whole."""
        return self.path(key).exists()

    def put(self, key: str, tensors: Tensors) -> None:
        """Store an entry: written beside and renamed, so that no reader sees half of it. Raises DiskFull."""
        path = self.path(key)
        path.parent.mkdir(parents=True, exist_ok=True)
        beside = path.with_name(f".{path.name}.{os.getpid()}.{threading.get_ident()}{PARTIAL}")
        try:
            save_file(tensors, beside, metadata={"crc32": checksum(tensors)})
            beside.replace(path)
        except (OSError, SafetensorError) as error:
            beside.unlink(missing_ok=True)
            if getattr(error, "errno", None) in FULL or "No space left" in str(error):
                raise DiskFull(f"The disk of {self.folder} is full: free space, or change cache_dir.") from error
            raise

    def path(self, key: str) -> Path:
        """The path of the entry; subfolders of two letters keep folders small."""
        return self.folder / key[:2] / f"{key}.safetensors"


def checksum(tensors: Tensors) -> str:
    """CRC-32 over all values, in the order of their names."""
    total = 0
    for name in sorted(tensors):
        total = zlib.crc32(tensors[name].reshape(-1).view(torch.uint8).numpy().data, total)
    return f"{total:08x}"
