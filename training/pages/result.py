"""What an ended run has to give: its model to download, and each prompt before and after the training."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any

from django.db.models import Max, Min, Q

from training.models import Artifact, Run
from training.runs.actions import Action

MOST_PROMPTS = 4


@dataclass(frozen=True)
class Pair:
    """The first and the last sample of one prompt; `first` is None if the run generated one sample of it."""

    first: Any
    last: Any


def model_of(run: Run) -> Artifact | None:
    """The final model of an ended run, or the last model that it saved; None if no file of either is left."""
    if not run.is_ended:
        return None
    files = run.artifacts.filter(deleted_at=None).exclude(kind=Artifact.Kind.BACKUP).order_by("-created_at")
    final_first = sorted(files, key=lambda file: file.kind != Artifact.Kind.MODEL)
    return next((file for file in final_first if file.exists), None)


def first_and_last(run: Run) -> list[Pair]:
    """The first and last samples of the first prompts of the config, in their order. Two queries."""
    samples = run.samples.present().filter(kind="default")
    reach = list(
        samples.values("index")
        .order_by("index")
        .annotate(first=Min("global_step"), last=Max("global_step"))[:MOST_PROMPTS]
    )
    ends = Q(pk__in=[])
    for prompt in reach:
        ends |= Q(index=prompt["index"], global_step__in={prompt["first"], prompt["last"]})
    found = {(sample.index, sample.global_step): sample for sample in samples.filter(ends).order_by("created_at")}
    return [
        Pair(
            found[prompt["index"], prompt["first"]] if prompt["first"] < prompt["last"] else None,
            found[prompt["index"], prompt["last"]],
        )
        for prompt in reach
    ]


def second_to(model: Artifact | None, actions: Sequence[Action]) -> list[Action]:
    """The run's buttons after the download of its model, which alone is coloured as the main one."""
    return [replace(action, style="" if model and action.style == "primary" else action.style) for action in actions]
