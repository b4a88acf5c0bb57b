"""Custom samples: the settings in a form, the shapes that suit the run, and the user's earlier requests."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from typing import Any

from django.contrib.auth.models import User
from django.utils.translation import gettext as _

from engine.interface.config_keys import keys_of
from engine.interface.json_types import JsonObject
from presets.config.shapes import RATIOS, size_of
from training.models import Run, RunCommand
from web.errors import BadInput

MOST_AT_ONCE = 16
RECENT = 8
LOOKED_AT = 60  # newest requests of the user to look through, for RECENT different ones
USUAL_EDGE = 512
NUMBERS = (("width", int), ("height", int), ("diffusion_steps", int), ("seed", int), ("cfg_scale", float))
KEPT = ("prompt", "negative_prompt", "width", "height", "diffusion_steps", "cfg_scale", "noise_scheduler", "seed")


def requested_settings(data: Mapping[str, Any]) -> list[JsonObject]:
    """The settings of each sample in the form: several prompts, several seeds. Raises BadInput by field."""
    facts = dict(_numbers(data)) | {"negative_prompt": data.get("negative_prompt", "")}
    if sampler := data.get("noise_scheduler"):
        facts["noise_scheduler"] = sampler
    if not (facts.get("width") or facts.get("height")):
        facts |= _shape(data.get("aspect", ""))
    seed = None if data.get("by_chance") else facts.pop("seed", None)
    facts.pop("seed", None)
    count = _count(data.get("count", "") or "1")
    text = data.get("prompt", "")
    prompts = [line.strip() for line in text.splitlines() if line.strip()] if data.get("each_line") else [text]
    if len(prompts) * count > MOST_AT_ONCE:
        raise _bad("count", _("Request at most %(most)s pictures at once.") % {"most": MOST_AT_ONCE})
    seeds = [{"random_seed": True} if seed is None else {"seed": seed + number} for number in range(count)]
    return [{"prompt": prompt, **facts, **chosen} for prompt in prompts or [""] for chosen in seeds]


def _numbers(data: Mapping[str, Any]) -> Iterator[tuple[str, Any]]:
    for field, number in NUMBERS:
        if text := data.get(field, "").strip():
            try:
                yield field, number(text)
            except ValueError as error:
                raise _bad(field, _("Enter a number.")) from error


def _count(text: str) -> int:
    if not (text.isdecimal() and 1 <= int(text[:9]) <= MOST_AT_ONCE):
        raise _bad("count", _("Choose from 1 to %(most)s pictures.") % {"most": MOST_AT_ONCE})
    return int(text)


def _shape(text: str) -> dict[str, int]:
    if not text:
        return {}
    found = re.fullmatch(r"(\d{1,5})x(\d{1,5})", text)
    if found is None:
        raise _bad("aspect", _("Choose one of the shapes."))
    return {"width": int(found[1]), "height": int(found[2])}


def _bad(field: str, sentence: str) -> BadInput:
    return BadInput(f"{field.replace('_', ' ')}: {sentence}", {field: [sentence]})


def aspects(run: Run) -> list[tuple[str, str]]:
    """(value, label) of shapes with about as many pixels as the run trains on."""
    first = re.search(r"\d+", str(keys_of(run.config).get("resolution", "")))
    edge = int(first[0]) if first and 8 <= int(first[0][:6]) <= 4096 else USUAL_EDGE
    sizes = [(*ratio, *size_of(ratio, edge)) for ratio in RATIOS]
    return [(f"{width}x{height}", f"{wide}:{high} · {width} × {height}") for wide, high, width, height in sizes]


def recent(user: User) -> list[JsonObject]:
    """The user's last requests with different prompts, newest first."""
    asked = RunCommand.objects.filter(kind="sample_custom", requested_by=user).order_by("-requested_at")
    found: dict[str, JsonObject] = {}
    for arguments in asked.values_list("arguments", flat=True)[:LOOKED_AT]:
        kept = kept_of(arguments)
        if arguments.get("random_seed"):
            kept.pop("seed", None)
        found.setdefault(kept.get("prompt", ""), kept)
    return list(found.values())[:RECENT]


def kept_of(settings: Mapping[str, Any]) -> JsonObject:
    """The settings of a sample that the form has fields for."""
    return {name: settings[name] for name in KEPT if settings.get(name) not in (None, "")}


def outcomes(run: Run) -> list[RunCommand]:
    """The last request of this attempt, with its status."""
    return list(run.commands.filter(kind="sample_custom", attempt=run.attempt).order_by("-requested_at")[:RECENT])
