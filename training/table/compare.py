"""Up to eight runs side by side: their curves, their different settings, and their samples."""

from __future__ import annotations

from engine.engines import UnknownEngine
from engine.interface.json_types import JsonObject
from engine.tokens import without_secrets
from presets.config.configs import leaves
from presets.config.whole import compact
from presets.editor.form import Form, form_of
from training.metrics.charts import lines, tags_of
from training.models import Run
from web.admin_parts import as_text
from web.errors import DomainError
from web.ids import as_uuid
from web.natural import natural

MOST_RUNS = 8
POINTS = 3200  # points of all curves together: eight runs must load as fast as two
FIRST = ("smooth_loss", "loss")


def chosen_runs(text: str) -> list[Run]:
    """The runs with these comma-separated ids, in that order; unknown ids are left out."""
    wanted = list(dict.fromkeys(pk for part in text.split(",") if (pk := as_uuid(part.strip()))))[:MOST_RUNS]
    found = Run.objects.with_progress().select_related("owner", "preset").defer("traceback", "log_tail").in_bulk(wanted)
    return [found[pk] for pk in wanted if pk in found]


# -- curves --------------------------------------------------------------------------------------------------------


def tags(runs: list[Run]) -> list[str]:
    """The tags that at least one run measured, losses first."""
    found = {tag for run in runs for tag in tags_of(run)}
    first = [tag for tag in FIRST if tag in found]
    return [*first, *sorted(found - set(first), key=natural)]


def curves(runs: list[Run], tag: str) -> list[JsonObject]:
    """One line for each run that measured it, with its steps as epochs and seconds; `colour` is the run's number."""
    drawn, points = [], POINTS // len(runs)
    for colour, run in enumerate(runs, start=1):
        facts = {"run": str(run.pk), "name": run.name, "colour": colour, "epoch_length": run.progress.max_step}
        drawn += [{**line, **facts} for line in lines(run, [tag], points)]
    return drawn


# -- settings ------------------------------------------------------------------------------------------------------


def differences(runs: list[Run]) -> list[JsonObject]:
    """The settings that differ between the runs: path, title, and each run's value as text."""
    configs = [dict(leaves(without_secrets(compact(run.engine, run.config)))) for run in runs]
    paths = dict.fromkeys(path for config in configs for path in config)
    form, rows = _form(runs[0].engine), []
    for path in paths:
        values = [as_text(config.get(path)) for config in configs]
        if len(set(values)) > 1:
            rows.append({"path": path, "title": _title(form, path), "values": values})
    return rows


def _form(engine: str) -> Form | None:
    """The editor's schema of the fields; None if the engine cannot be used."""
    try:
        return form_of(engine)
    except (DomainError, UnknownEngine):
        return None


def _title(form: Form | None, path: str) -> str:
    spec = form.spec_of(path) if form else None
    return spec.title if spec else ""


# -- samples -------------------------------------------------------------------------------------------------------
