"""The admin's page of one run beyond its fields, and the export of runs."""

from __future__ import annotations

from engine.interface.json_types import JsonObject
from engine.tokens import without_secrets
from presets.admin_changes import changes
from presets.config import configs, whole
from training.models import Run
from training.runs.timeline import timeline
from web.admin_parts import entries
from web.errors import DomainError

SAMPLES_SHOWN = 24
FACTS = (
    *("id", "name", "engine", "status", "error", "error_reason", "notes", "tags", "priority", "attempt"),
    *("created_at", "started_at", "ended_at"),
)
PROGRESS = ("epoch", "epoch_step", "epoch_sample", "global_step", "max_step", "max_epoch", "loss", "smooth_loss")
ARTIFACT_FACTS = ("id", "kind", "path", "size", "sha256", "global_step", "epoch", "created_at", "deleted_at")


def page_of(run: Run) -> JsonObject:
    """The context of the run's page."""
    config = without_secrets(run.config)
    return {
        "config_entries": entries(config),
        "comparisons": [*_against_preset(run, config), _against_defaults(run, config)],
        "timeline": timeline(run),
        "artifacts": run.artifacts.order_by("-created_at"),
        "samples": run.samples.newest_first()[:SAMPLES_SHOWN],
        "sample_count": run.samples.count(),
        "children": run.children.order_by("created_at"),
    }


def _against_preset(run: Run, config: JsonObject) -> list[JsonObject]:
    if run.preset_version is None:
        return []
    return [_comparison(f"Changed from the preset {run.preset_version}", run, config, run.preset_version.config)]


def _against_defaults(run: Run, config: JsonObject) -> JsonObject:
    return _comparison("Changed from the engine's defaults", run, config)


def _comparison(title: str, run: Run, config: JsonObject, *layers: JsonObject) -> JsonObject:
    """A titled table of changes, or a sentence with the reason why there is none: the engine may have been removed."""
    try:
        base = whole.compact(run.engine, without_secrets(configs.full_config(run.engine, *layers)))
    except DomainError as problem:
        return {"title": title, "problem": str(problem)}
    return {"title": title, "rows": changes(base, whole.compact(run.engine, config))}


def facts_for_export(run: Run) -> JsonObject:
    """Config and facts of a run, ready for JSON."""
    return {
        **{name: getattr(run, name) for name in FACTS},
        **{name: getattr(run.progress, name) for name in PROGRESS},
        "owner": run.owner.get_username() if run.owner else None,
        "preset": run.preset.name if run.preset else None,
        "preset_version": run.preset_version.number if run.preset_version else None,
        "worker": run.worker.name if run.worker else None,
        "config": without_secrets(run.config),
        "artifacts": [{name: getattr(artifact, name) for name in ARTIFACT_FACTS} for artifact in run.artifacts.all()],
    }
