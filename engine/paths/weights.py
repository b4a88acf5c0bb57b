"""Files of weights, known by their content: a pickle can run a program when it is loaded, whatever its name is."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path

from engine.interface.json_files import BadJson, read_object
from engine.interface.pickles import SETTING, is_pickle
from engine.interface.safetensors_header import MOST_BYTES, BadHeader, read_header

GGUF = b"GGUF"
PICKLED, ZIP, TAR = b"\x80", b"PK", b"ustar"
SAFE = (".safetensors", ".sft", ".gguf")
WEIGHTS = (*SAFE, ".ckpt", ".pt", ".pth", ".bin", ".pkl")
UNUSED = ("safety_checker", "feature_extractor")  # parts of a model that no training loads
MOST_FILES = 2_000
INDEX = "model_index.json"
LIBRARIES = ("diffusers", "transformers", "stable_diffusion", None)  # that an index may name: others would be imported
CURE_OF_INDEX = "choose a model whose parts are of diffusers and transformers"
CURE = f"choose a .safetensors file, or, if you trust its author, have an admin set {SETTING}=true"


def refusal(path: Path, deep: bool = True) -> str:
    """Why this file or folder of weights is not loaded, and what to do; empty if it can run no program.

    A folder is a model, or a part of one: of each of its folders that has weights, safe ones are loaded. If not `deep`,
    only the beginning of each file is read, for a page.
    """
    try:
        if path.is_dir():
            return next(_unsafe_in(path, deep), "")
        return file_refusal(path, deep) if path.is_file() else ""
    except OSError as error:
        return f"{path} cannot be read ({error.strerror}); check the path and its permissions"


def file_refusal(path: Path, deep: bool = True) -> str:
    """As `refusal`, for one file."""
    if is_pickle(path.name):
        return f"{path} is a pickle, which can run a program when it is loaded; {CURE}"
    what = unsafe_content(path, deep)
    return f"{path} is {what}; {CURE}" if what else ""


def is_model(path: Path) -> bool:
    """Whether this is a file of safe weights, or a folder with such files: what a training writes as its model."""
    try:
        if path.is_dir():
            names = (name for pattern in ("*", "*/*") for name in path.glob(f"{pattern}.safetensors"))
            return any(not unsafe_content(name) for name in names)
        return path.is_file() and not unsafe_content(path)
    except OSError:
        return False


def unsafe_content(path: Path, deep: bool = True) -> str:
    """What the file is, if loading it as something else than safetensors could run a program; else empty."""
    with path.open("rb") as file:
        start = file.read(262)
        size = os.fstat(file.fileno()).st_size
    if start[:4] == GGUF or (not deep and _begins_as_safetensors(start, size)):
        return ""
    try:
        read_header(path)
    except BadHeader:
        return _named(start)
    return ""


def _begins_as_safetensors(start: bytes, size: int) -> bool:
    length = int.from_bytes(start[:8], "little")
    return start[8:9] == b"{" and length <= min(MOST_BYTES, size - 8)


def _named(start: bytes) -> str:
    if start.startswith(ZIP):
        return "a zip file, as pickled weights are, which can run a program when it is loaded"
    if start.startswith(PICKLED) or start[257:262] == TAR:
        return "a pickle, which can run a program when it is loaded"
    return "not a safetensors file, or is damaged"


def _unsafe_in(folder: Path, deep: bool) -> Iterator[str]:
    """The unsafe files that could be loaded from a model's folder, or from one part's."""
    is_model = (folder / INDEX).is_file()
    if is_model and (library := foreign_library(folder / INDEX)):
        yield f"{folder / INDEX} names the library {library!r}, which would be imported; {CURE_OF_INDEX}"
    parts = [one for one in sorted(folder.iterdir()) if one.is_dir() and one.name not in UNUSED][:MOST_FILES]
    for place in parts if is_model else [folder, *parts]:
        yield from _unsafe_among(place, deep)


def foreign_library(index: Path) -> str:
    """The first library in a model's index that is neither diffusers nor transformers; empty if there is none."""
    try:
        parts = read_object(index).values()
    except BadJson:
        return ""  # the check of the model reports it
    named = (part[0] for part in parts if isinstance(part, list) and len(part) == 2)
    return next((str(library)[:100] for library in named if library not in LIBRARIES), "")


def _unsafe_among(folder: Path, deep: bool) -> Iterator[str]:
    files = [file for file in sorted(folder.iterdir()) if file.suffix.lower() in WEIGHTS and file.is_file()]
    safe = [file for file in files[:MOST_FILES] if file.suffix.lower() in SAFE]
    yield from filter(None, (file_refusal(file, deep) for file in safe))
    if files and not safe:
        yield file_refusal(files[0], deep)
