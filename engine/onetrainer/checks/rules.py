"""What the installed OneTrainer cannot train, though each value alone is one of its choices. From its own facts."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import Any

from engine.interface.errors import Problem
from engine.interface.json_types import JsonObject
from engine.onetrainer.checks.reading import object_in, size_multiple, text_in

CLOUD = "This site trains on its own machines: turn this off, or use OneTrainer itself."
METHOD, FORMAT, OPTIMIZER = "training_method", "output_model_format", "optimizer.optimizer"
FORM = "write sizes in pixels, such as 512, or 512,768, or 768x512"


def problems(config: JsonObject, facts: JsonObject) -> Iterator[Problem]:
    """The problems of a whole config; a value of a wrong type is the schema's problem, and is left out here."""
    yield from _methods(config, facts)
    yield from _formats(config, facts)
    yield from _packages(config, facts)
    yield from _sizes(config, facts)
    yield from _same_uuids(config)
    if object_in(config, "cloud").get("enabled") is True:
        yield Problem("cloud.enabled", CLOUD)


def usual_format(config: JsonObject, facts: JsonObject) -> str:
    """The format that takes the place of the default one where that does not fit, as in OneTrainer's own window.

    It is the first format that fits; for a destination that is a file, the first single file. It is empty if the
    config's format fits, or was chosen.
    """
    possible, chosen = _possible_formats(config, facts), config.get(FORMAT)
    if not possible or chosen in possible or chosen != facts["defaults"].get(FORMAT):
        return ""
    is_file = str(config.get("output_model_destination", "")).endswith(".safetensors")
    fitting = [one for one in possible if not (is_file and one in facts["folder_formats"])]
    return (fitting or possible)[0]


def _possible_formats(config: JsonObject, facts: JsonObject) -> list[str]:
    return facts["output_formats"].get(text_in(config, "model_type"), {}).get(text_in(config, METHOD), [])


def _methods(config: JsonObject, facts: JsonObject) -> Iterator[Problem]:
    model, method = text_in(config, "model_type"), text_in(config, METHOD)
    possible = facts["training_methods_by_model_type"].get(model)
    if possible and method and method not in possible:
        yield Problem(METHOD, f"{method} does not exist for {model}; choose {' or '.join(possible)}")


def _formats(config: JsonObject, facts: JsonObject) -> Iterator[Problem]:
    chosen, possible = text_in(config, FORMAT), _possible_formats(config, facts)
    if not possible or not chosen or chosen in possible:
        return
    what = f"{chosen} does not fit {config[METHOD]} of {config['model_type']}"
    if usual := usual_format(config, facts):
        yield Problem(FORMAT, f"{what}, so {usual} is written; choose one of {', '.join(possible)}", "warning")
    else:
        yield Problem(FORMAT, f"{what}; choose one of {', '.join(possible)}")


def _packages(config: JsonObject, facts: JsonObject) -> Iterator[Problem]:
    name = text_in(object_in(config, "optimizer"), "optimizer")
    missing = [package for package, has in facts["optimizer_packages"].get(name, {}).items() if not has]
    if missing:
        cure = "run install.sh (or install.bat) in the checkout, or choose another optimizer"
        yield Problem(OPTIMIZER, f"{name} needs {' and '.join(missing)}, which OneTrainer's Python lacks; {cure}")


def _sizes(config: JsonObject, facts: JsonObject) -> Iterator[Problem]:
    """OneTrainer reads the overrides of all concepts, also where they are off."""
    texts = {"resolution": config.get("resolution")}
    for index, concept in enumerate(_objects(config.get("concepts"))):
        texts[f"concepts.{index}.image.resolution_override"] = object_in(concept, "image").get("resolution_override")
    multiple = size_multiple(config, facts)
    has_buckets = config.get("aspect_ratio_bucketing") is not False
    for field, text in texts.items():
        if not isinstance(text, str):
            continue
        found = sizes(text)
        if not found or min(map(min, found)) < 1:
            yield Problem(field, f"{text[:40]!r} is no size; {FORM}")
        elif has_buckets:
            yield from _too_small(field, found, multiple, facts["widest_aspect"])
        elif any(len(size) == 2 for size in found):
            yield Problem(field, "needs aspect_ratio_bucketing; turn it on, or write one number")
        elif any(size[0] % multiple for size in found):
            sentence = f"without aspect_ratio_bucketing this model needs multiples of {multiple}; change the size"
            yield Problem(field, sentence, "warning")


def sizes(text: str) -> list[tuple[int, ...]]:
    """(edge,) of each square with the pixels of `512,768`, or (width, height) of `768x512`; empty for other texts."""
    pieces = [text.split("x")] if "x" in text and "," not in text else [[piece] for piece in text.split(",")]
    try:
        found = [tuple(int(number) for number in piece) for piece in pieces]
    except ValueError:
        return []
    return found if all(len(size) <= 2 for size in found) else []


def _too_small(field: str, found: Iterable[tuple[int, ...]], multiple: int, aspect: float) -> Iterator[Problem]:
    """Each edge of each bucket is rounded to a multiple, and may not become zero: OneTrainer divides by it."""
    for size in found:
        shortest = min(size) if len(size) == 2 else size[0] / aspect**0.5
        if round(shortest / multiple) < 1:
            what = f"{'x'.join(map(str, size))} is too small, since this model's pictures are cut to multiples of"
            yield Problem(field, f"{what} {multiple}; choose at least {multiple if len(size) == 2 else 2 * multiple}")


def _same_uuids(config: JsonObject) -> Iterator[Problem]:
    seen: dict[object, int] = {}
    for index, one in enumerate(_objects(config.get("additional_embeddings"))):
        uuid = text_in(one, "uuid")
        if uuid.strip("0-") and seen.setdefault(uuid, index) != index:
            sentence = f"is the uuid of embedding {seen[uuid] + 1} too; remove it, and the run gets a new one"
            yield Problem(f"additional_embeddings.{index}.uuid", sentence)


def _objects(value: Any) -> list[JsonObject]:
    return [one if isinstance(one, dict) else {} for one in value] if isinstance(value, list) else []
