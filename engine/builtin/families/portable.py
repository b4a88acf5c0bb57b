"""Makes a saved pipeline load in other versions of transformers and diffusers, not only in the installed one."""

from __future__ import annotations

import json
from pathlib import Path

from safetensors.torch import load_file, save_file
from tokenizers import Tokenizer

from engine.interface.json_types import JsonObject
from engine.interface.safetensors_header import read_header

CLIP_TEXT = "text_model."
CLIP_PROJECTION = "text_projection."  # the one weight beside the text model


def make_portable(folder: Path) -> None:
    """Add what other versions need to a diffusers folder, and use the names that they all read.

    - transformers 4 reads a CLIP tokenizer from `vocab.json` and `merges.txt`; transformers 5 writes `tokenizer.json`.
    - transformers 4 knows the weights of a CLIP text encoder only as `text_model.…`; transformers 5 reads both forms,
      and writes the form that it read.
    - transformers 5 loads an encoder in the format of its config, and diffusers loads all other parts in float32 unless
      `torch_dtype` says otherwise, so that a model in half precision would mix both. The config names float32, which
      `torch_dtype` overrides for every part.
    """
    for path in folder.glob("*/tokenizer.json"):
        Tokenizer.from_file(str(path)).model.save(str(path.parent))
    for path in folder.glob("*/config.json"):
        config: JsonObject = json.loads(path.read_text(encoding="utf-8"))
        if "transformers_version" in config:
            path.write_text(json.dumps(config | {"dtype": "float32"}, indent=2) + "\n", encoding="utf-8")
        if config.get("model_type") == "clip_text_model":
            for weights in path.parent.glob("*.safetensors"):
                _name_as_published(weights)


def _name_as_published(path: Path) -> None:
    names = {name: name if name.startswith((CLIP_TEXT, CLIP_PROJECTION)) else CLIP_TEXT + name for name in _names(path)}
    if all(name == published for name, published in names.items()):
        return
    weights = {names[name]: weight.clone() for name, weight in load_file(path).items()}
    save_file(weights, path, metadata={"format": "pt"})


def _names(path: Path) -> list[str]:
    return list(read_header(path).tensors)
