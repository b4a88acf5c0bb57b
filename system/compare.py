"""Up to eight runs side by side: their curves, the settings in which they differ, and their samples."""

from __future__ import annotations

import uuid
from bisect import bisect_left
from collections import defaultdict
from typing import Any

from engine.engines import UnknownEngine
from engine.tokens import without_secrets
from presets.admin_parts import as_text
from presets.browse import natural
from presets.configs import leaves
from presets.editor_form import Form, form_of
from presets.errors import DomainError
from samples.models import Sample
from training.charts import lines, tags_of
from training.models import Run

MOST_RUNS = 8
POINTS = 3200  # of all curves together: eight shall be read as fast as two
STEPS_SHOWN = 8  # of samples
MOST_PROMPTS = 200
FIRST = ("smooth_loss", "loss")


def chosen_runs(text: str) -> list[Run]:
    """Those whose ids stand between commas, in that order; what is no run is left out."""
    wanted = list(dict.fromkeys(pk for part in text.split(",") if (pk := _uuid(part))))[:MOST_RUNS]
    found = Run.objects.select_related("owner", "preset").defer("traceback", "log_tail").in_bulk(wanted)
    return [found[pk] for pk in wanted if pk in found]


def _uuid(text: str) -> uuid.UUID | None:
    try:
        return uuid.UUID(text.strip())
    except ValueError:
        return None


# -- curves --------------------------------------------------------------------------------------------------------


def tags(runs: list[Run]) -> list[str]:
    """What at least one of them measured, the losses first."""
    found = {tag for run in runs for tag in tags_of(run)}
    first = [tag for tag in FIRST if tag in found]
    return [*first, *sorted(found - set(first), key=natural)]


def curves(runs: list[Run], tag: str) -> list[dict[str, Any]]:
    """One line a run that measured it, with what its steps are in epochs and seconds; `colour` is the run's number."""
    drawn, points = [], POINTS // len(runs)
    for colour, run in enumerate(runs, start=1):
        for line in lines(run, [tag], points):
            drawn.append({**line, "run": str(run.pk), "name": run.name, "colour": colour, "epoch_length": run.max_step})
    return drawn


# -- settings ------------------------------------------------------------------------------------------------------


def differences(runs: list[Run]) -> list[dict[str, Any]]:
    """The settings that are not the same in all of them: path, title, and each run's value as text."""
    configs = [dict(leaves(without_secrets(run.config))) for run in runs]
    paths = dict.fromkeys(path for config in configs for path in config)
    form, rows = _form(runs[0].engine), []
    for path in paths:
        values = [as_text(config.get(path)) for config in configs]
        if len(set(values)) > 1:
            rows.append({"path": path, "title": _title(form, path), "values": values})
    return rows


def _form(engine: str) -> Form | None:
    """What the editor knows of the fields; None where the engine cannot be used now."""
    try:
        return form_of(engine)
    except (DomainError, UnknownEngine):
        return None


def _title(form: Form | None, path: str) -> str:
    spec = form.spec_of(path) if form else None
    return spec.title if spec else ""


# -- samples -------------------------------------------------------------------------------------------------------


def prompts(runs: list[Run]) -> list[dict[str, Any]]:
    """Each prompt and seed that was drawn, those that most of the runs share first."""
    drawn = Sample.objects.filter(run__in=runs).order_by().values_list("run", "prompt", "settings__seed").distinct()
    sharing: dict[tuple[str, Any], set[Any]] = defaultdict(set)
    for run, prompt, seed in drawn:
        sharing[prompt, seed].add(run)
    order = sorted(sharing, key=lambda key: (-len(sharing[key]), key[0].lower(), str(key[1])))[:MOST_PROMPTS]
    return [
        {"key": str(number), "prompt": prompt, "seed": seed, "runs": len(sharing[prompt, seed])}
        for number, (prompt, seed) in enumerate(order)
    ]


def sample_rows(runs: list[Run], prompt: dict[str, Any]) -> list[dict[str, Any]]:
    """At some steps of the run that was sampled most, each run's sample that is nearest: newest step first."""
    found = Sample.objects.filter(run__in=runs, prompt=prompt["prompt"], settings__seed=prompt["seed"])
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
    """So many of them, evenly, with the first and the last."""
    if len(steps) <= most:
        return steps
    return [steps[round(number * (len(steps) - 1) / (most - 1))] for number in range(most)]


def _nearest(samples: list[tuple[int, Any]], step: int) -> Any:
    """The id of the sample whose step is closest; None where the run has none of this prompt."""
    if not samples:
        return None
    place = bisect_left(samples, step, key=lambda sample: sample[0])
    around = samples[max(0, place - 1) : place + 1]
    return min(around, key=lambda sample: abs(sample[0] - step))[1]
