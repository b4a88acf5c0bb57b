"""The numbers of a base model's weights: those from which nothing can be trained."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

from engine.builtin.families.model_files import part_of
from engine.builtin.inspection.finite import MIXED, Numbers, Progress, look_at_numbers
from engine.interface.errors import Problem

FIELD = "base_model_name"
DOUBTFUL = 0.25  # share of a part's matrices; some published ones hold zeros


def look_at_weights(files: list[Path], progress: Progress) -> Iterator[Problem]:
    """NaN or infinity, from which every loss would become NaN, and parts whose weights were never trained."""
    found = look_at_numbers(files, progress)
    if found.not_finite:
        file, tensor = found.not_finite
        text = f"{file} has NaN or infinity in {tensor}, so that no loss would be a number; choose another copy."
        yield Problem(FIELD, text)
        return
    for part, matrices in _by_part(found).items():
        empty = [name for name, content in matrices.items() if content != MIXED]
        if len(empty) == len(matrices):
            text = f"every matrix of {part} holds one number alone, such as zeros, so it knows nothing"
            yield Problem(FIELD, f"{text}; download the model again.")
        elif len(empty) > DOUBTFUL * len(matrices):
            text = f"{len(empty)} of the {len(matrices)} matrices of {part} hold one number alone, such as {empty[0]}"
            yield Problem(FIELD, f"{text}; if the model is not meant to be so, download it again.", "warning")


def _by_part(found: Numbers) -> dict[str, dict[str, str]]:
    """The matrices by part: a part of a folder has its own config, a single file has several parts."""
    parts: dict[str, dict[str, str]] = {}
    for file, matrices in found.matrices.items():
        has_config = (file.parent / "config.json").exists()
        for name, content in matrices.items():
            part = f"{file.parent.name} in {file.parent.parent}" if has_config else f"the {part_of(name)} in {file}"
            parts.setdefault(part, {})[name] = content
    return parts
