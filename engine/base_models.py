"""The catalogue of base models: published facts of each family that an engine can train. No torch."""

from __future__ import annotations

import tomllib
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path

CATALOGUE = Path(__file__).with_suffix(".toml")
LLAMA = "meta-llama/Llama-3.1-8B-Instruct"
SIZES = {LLAMA: 16.1, "stabilityai/stable-cascade": 9.6, "warp-ai/wuerstchen": 5.6, "warp-ai/EfficientNetEncoder": 0.1}


@dataclass(frozen=True)
class CatalogueModel:
    """One base model; sizes in GB, parameters in billions, activations in GiB, `native` in pixels (see the file)."""

    family: str
    title: str
    hub: str
    model_type: str
    licence: str
    uses: str
    native: int
    parameters: float
    encoders: float
    activations: float
    size: float | None = None
    gated: bool = False
    quantized: bool = False
    also: tuple[str, ...] = ()

    @property
    def bytes(self) -> int | None:
        """The size of the files that a training needs, as far as it is known."""
        return None if self.size is None else int(self.size * 1e9)


@lru_cache(maxsize=1)
def catalogue() -> tuple[CatalogueModel, ...]:
    """Every model, in the order of the page."""
    rows = tomllib.loads(CATALOGUE.read_text(encoding="utf-8"))["models"]
    return tuple(CatalogueModel(**{**row, "also": tuple(row.get("also", ()))}) for row in rows)


def known_bytes(hub_name: str) -> int | None:
    """The size of the files of a model of the hub; None if the catalogue does not know it."""
    sizes = SIZES | {model.hub: model.size for model in catalogue()}
    size = sizes.get(hub_name)
    return None if size is None else int(size * 1e9)
