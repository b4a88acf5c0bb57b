"""Many samples as one zip file, with the settings of each."""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Iterator

from django.core.serializers.json import DjangoJSONEncoder
from django.http import HttpResponseBase
from django.utils.timezone import now

from engine.paths.policy import Purpose
from samples.models import Sample
from web.packing import Content
from web.packing import send_zip as send_members
from web.paths.site import refusal


def send_zip(samples: Iterable[Sample], method: str = "GET") -> HttpResponseBase:
    """A response with the files and `samples.json`, which holds the settings of each sample."""
    return send_members(f"samples-{now():%Y-%m-%d-%H%M%S}.zip", _members(list(samples)), method)


def _members(samples: list[Sample]) -> Iterator[tuple[str, Content]]:
    listed = []
    for sample in samples:
        name = _name_of(sample) if _is_here(sample) else None
        listed.append({**sample.to_dict(), "file": name})
        if name:
            yield name, sample.file
    yield "samples.json", json.dumps(listed, cls=DjangoJSONEncoder, indent=1)


def _is_here(sample: Sample) -> bool:
    return not refusal(str(sample.file), Purpose.SEND) and sample.file.is_file()


def _name_of(sample: Sample) -> str:
    """Sorted by name, the pictures of one prompt of a run are in the order of their steps."""
    folder = f"{safe_name(sample.run.name, 60)}-{str(sample.run_id)[:8]}"
    what = "custom" if sample.kind == Sample.Kind.CUSTOM else f"{sample.index:02d}"
    name = f"{what}-{safe_name(sample.prompt, 40)}-step{sample.global_step:07d}-{str(sample.pk)[:8]}"
    return f"{folder}/{name}{sample.file.suffix.lower()}"


def safe_name(text: str, most: int) -> str:
    """The letters, digits and hyphens of `text`, at most `most` of them, as a part of a file's name."""
    return re.sub(r"[^\w-]+", "_", text)[:most].strip("_") or "untitled"
