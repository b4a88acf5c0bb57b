"""Weights as pickles (.ckpt, .pt, .bin): loading one can run a program that is in it. Standard library only."""

from __future__ import annotations

import os
from pathlib import Path

ENDINGS = {".ckpt", ".pt", ".pth", ".bin", ".pkl"}
SETTING = "ALLOW_PICKLED_WEIGHTS"


def are_allowed() -> bool:
    """True if the site's environment allows them."""
    return os.environ.get(SETTING, "").lower() in ("1", "true", "yes", "on")


def is_pickle(name: str) -> bool:
    """True if the name is that of a file that is loaded as a pickle."""
    return Path(name).suffix.lower() in ENDINGS


def refusal(name: str) -> str:
    """Why these weights are not loaded, and what to do; empty for other files, and where pickles are allowed."""
    if not is_pickle(name) or are_allowed():
        return ""
    return (
        f"{name} is a pickle, which can run a program when it is loaded; choose a .safetensors file, or, if you trust "
        f"its author, set {SETTING}=true in the site's environment"
    )
