"""Going on from what a run has left: the same run from a backup, or a new run from its weights alone."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from django.utils.translation import gettext as _

from training.models import Artifact, Run
from training.runs.backups import newest_backup
from web.errors import BadInput, NotNow

MOST_EPOCHS = 1_000_000
LORA, EMBEDDING = "LORA", "EMBEDDING"


def backup_to_continue(run: Run, chosen: Artifact | None) -> Artifact:
    """The chosen backup, or the newest whole one; raises NotNow, with the reason, where it cannot be."""
    if not run.is_ended:
        raise NotNow(
            _("Only an ended run can be continued: this one is %(status)s.") % {"status": run.get_status_display()}
        )
    backup = chosen or newest_backup(run)
    if backup is None:
        raise NotNow(_("There is no backup of this run to continue from: start it again, or from one of its models."))
    refuse_what_is_not_there(run, backup)
    if backup.kind != Artifact.Kind.BACKUP:
        raise NotNow(_("Only a backup holds what it takes to continue: start a new run from these weights instead."))
    if backup.is_damaged:
        raise NotNow(_("This backup is damaged: choose an older one."))
    return backup


def refuse_what_is_not_there(run: Run, artifact: Artifact) -> None:
    """Raises NotNow."""
    if artifact.run_id != run.pk:
        raise NotNow(_("This file belongs to another run: choose one of this run's own."))
    if not artifact.exists:
        raise NotNow(_("This file was removed: choose another."))


def epochs_to_train(run: Run, backup: Artifact, asked: int | None) -> int:
    """How many epochs the run shall have in all; raises BadInput or NotNow where none would be left to train."""
    planned = int(run.config.get("epochs") or 0)
    if asked is None:
        if planned and backup.epoch >= planned:
            sentence = _("This backup is from the end of all %(epochs)s epochs: say how many it shall have in all.")
            raise NotNow(sentence % {"epochs": planned})
        return planned
    if not backup.epoch < asked <= MOST_EPOCHS:
        sentence = _("Enter more epochs than the backup has behind it: at least %(least)s.") % {
            "least": backup.epoch + 1
        }
        raise BadInput(sentence, {"epochs": [sentence]})
    return asked


def needs_epochs(run: Run, backup: Artifact) -> bool:
    """Whether continuing from it asks for more epochs, as all that were planned are trained."""
    return bool(run.config.get("epochs")) and backup.epoch >= run.config["epochs"]


def place_of_start(run: Run) -> dict[str, int]:
    """Where its next attempt begins, so that no page tells of steps that are to be trained again."""
    if not run.resume_from:
        return {"epoch": 0, "epoch_step": 0, "epoch_sample": 0, "global_step": 0}
    backup = run.goes_on_from
    if backup is None or backup.global_step == run.progress.global_step:
        return {}
    step_of_epoch = max(0, backup.global_step - backup.epoch * run.progress.max_step)
    return {"epoch": backup.epoch, "epoch_step": step_of_epoch, "global_step": backup.global_step}


def config_behind(artifact: Artifact) -> dict[str, Any]:
    """The settings that made it: since its attempt, the run may have been continued with more epochs."""
    run = artifact.run
    changed = run.events.filter(kind="status_changed", attempt__gte=artifact.attempt, data__has_key="config_before")
    config = dict(run.config)
    for data in changed.order_by("-pk").values_list("data", flat=True):
        config |= data["config_before"]
    return config


def start_from(run: Run, artifact: Artifact) -> tuple[dict[str, Any], str]:
    """(config changes, backup that the engine reads) with which a new run begins from these weights at step 0.

    Raises NotNow where the engine cannot.
    """
    refuse_what_is_not_there(run, artifact)
    method = str(run.config.get("training_method", ""))
    if artifact.kind == Artifact.Kind.BACKUP:
        return _from_backup(run, Path(artifact.path), method)
    return {_field_of(method): artifact.path} if method != EMBEDDING else _embedding(run, artifact.path), ""


def why_not_start_from(run: Run, artifact: Artifact) -> str:
    """Why a new run cannot begin from these weights; empty where it can."""
    try:
        start_from(run, artifact)
    except NotNow as reason:
        return str(reason)
    return ""


def _field_of(method: str) -> str:
    return "lora_model_name" if method == LORA else "base_model_name"


def _embedding(run: Run, path: str) -> dict[str, Any]:
    return {"embedding": {**run.config.get("embedding", {}), "model_name": path}}


def _from_backup(run: Run, backup: Path, method: str) -> tuple[dict[str, Any], str]:
    if run.engine == "builtin":
        return {}, str(backup)
    lora = backup / "lora" / "lora.safetensors"
    if method == LORA and lora.exists():
        return {"lora_model_name": str(lora)}, ""
    raise NotNow(_("OneTrainer would go on with this backup's steps too: start from a save or the model instead."))
