"""The samples of compared runs, a row for each prompt."""

from __future__ import annotations

from bisect import bisect_left
from collections import defaultdict
from typing import Any

from engine.interface.json_types import JsonObject
from samples.models import Sample
from training.models import Run

STEPS_SHOWN = 8  # of samples
MOST_PROMPTS = 200


def prompts(runs: list[Run]) -> list[JsonObject]:
    """Each prompt and seed with samples, first those that most of the runs share."""
    drawn = Sample.objects.filter(run__in=runs).order_by().values_list("run", "prompt", "settings__seed").distinct()
    sharing: dict[tuple[str, Any], set[Any]] = defaultdict(set)
    for run, prompt, seed in drawn:
        sharing[prompt, seed].add(run)
    order = sorted(sharing, key=lambda key: (-len(sharing[key]), key[0].lower(), str(key[1])))[:MOST_PROMPTS]
    return [
        {"key": str(number), "prompt": prompt, "seed": seed, "runs": len(sharing[prompt, seed])}
        for number, (prompt, seed) in enumerate(order)
    ]


def sample_rows(runs: list[Run], prompt: JsonObject) -> list[JsonObject]:
    """For some steps of the run with the most samples: the nearest sample of each run, newest step first."""
    found = Sample.objects.present().filter(run__in=runs, prompt=prompt["prompt"], settings__seed=prompt["seed"])
    of_run: dict[Any, list[tuple[int, Any]]] = defaultdict(list)
    for pk, run, step in found.order_by("global_step", "created_at").values_list("pk", "run", "global_step"):
        of_run[run].append((step, pk))
    steps = _spread(sorted({step for step, _ in max(of_run.values(), key=len, default=[])}), STEPS_SHOWN)
    nearest = {step: [_nearest(of_run[run.pk], step) for run in runs] for step in steps}
    samples = Sample.objects.in_bulk([pk for row in nearest.values() for pk in row if pk])
    return [
        {"step": step, "samples": [samples.get(pk) for pk in nearest[step]]} for step in sorted(steps, reverse=True)
    ]


def _spread(steps: list[int], most: int) -> list[int]:
    """`count` of the steps, evenly spread, with the first and the last."""
    if len(steps) <= most:
        return steps
    return [steps[round(number * (len(steps) - 1) / (most - 1))] for number in range(most)]


def _nearest(samples: list[tuple[int, Any]], step: int) -> Any:
    """The id of the sample with the closest step; None if the run has no sample of this prompt."""
    if not samples:
        return None
    place = bisect_left(samples, step, key=lambda sample: sample[0])
    around = samples[max(0, place - 1) : place + 1]
    return min(around, key=lambda sample: abs(sample[0] - step))[1]
