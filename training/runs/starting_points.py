"""Starting points in a run's files: a backup to continue the run, or weights to start a new run."""

from __future__ import annotations

from pathlib import Path

from django.utils.translation import gettext as _

from engine.interface.config_keys import keys_of
from engine.interface.json_types import JsonObject
from training.models import Artifact, Run
from training.models.progress import PLACE
from training.runs.backups import newest_backup
from web.errors import BadInput, NotNow

MOST_EPOCHS = 1_000_000
LORA, EMBEDDING = "LORA", "EMBEDDING"


def backup_to_continue(run: Run, chosen: Artifact | None) -> Artifact:
    """The chosen backup, or the newest complete one; raises NotNow with the reason if it cannot be used."""
    if not run.is_ended:
        raise NotNow(
            _("Only an ended run can be continued: this run is %(status)s.") % {"status": run.get_status_display()}
        )
    backup = chosen or newest_backup(run)
    if backup is None:
        raise NotNow(_("This run has no backup to continue from: start it again, or start from one of its models."))
    refuse_what_is_not_there(run, backup)
    if backup.kind != Artifact.Kind.BACKUP:
        raise NotNow(_("A run can only be continued from a backup: start a new run from these weights instead."))
    if backup.is_damaged:
        raise NotNow(_("This backup is damaged: choose an older one."))
    return backup


def refuse_what_is_not_there(run: Run, artifact: Artifact) -> None:
    """Raises NotNow."""
    if artifact.run_id != run.pk:
        raise NotNow(_("This file belongs to another run: choose a file of this run."))
    if not artifact.exists:
        raise NotNow(_("This file was deleted: choose another."))


def epochs_to_train(run: Run, backup: Artifact, asked: int | None) -> int:
    """The run's new total of epochs; raises BadInput or NotNow if no epoch would be left to train."""
    planned = int(keys_of(run.config).get("epochs") or 0)
    if asked is None:
        if planned and backup.epoch >= planned:
            sentence = _("This backup is from the end of all %(epochs)s epochs: enter a higher total of epochs.")
            raise NotNow(sentence % {"epochs": planned})
        return planned
    if not backup.epoch < asked <= MOST_EPOCHS:
        sentence = _("Enter more epochs than the backup has trained: at least %(least)s.") % {"least": backup.epoch + 1}
        raise BadInput(sentence, {"epochs": [sentence]})
    return asked


def needs_epochs(run: Run, backup: Artifact) -> bool:
    """True if continuing from it needs more epochs, since all planned epochs are trained."""
    return bool(keys_of(run.config).get("epochs")) and backup.epoch >= keys_of(run.config)["epochs"]


def place_of_start(run: Run) -> dict[str, int]:
    """The progress at the start of the next attempt, so that no page counts steps that will be trained again."""
    if not run.resume_from:
        return {"epoch": 0, "epoch_step": 0, "epoch_sample": 0, "global_step": 0}
    backup = run.goes_on_from
    if backup is None or backup.global_step == run.progress.global_step:
        return {}
    written = run.events.filter(kind="artifact", attempt=backup.attempt, sequence=backup.sequence).first()
    if written is not None and all(name in written.data for name in PLACE):
        return {name: written.data[name] for name in PLACE}
    step_of_epoch = max(0, backup.global_step - backup.epoch * run.progress.max_step)
    pictures = step_of_epoch * int(keys_of(run.config).get("batch_size") or 0)
    return dict(zip(PLACE, (backup.epoch, step_of_epoch, pictures, backup.global_step), strict=True))


def config_behind(artifact: Artifact) -> JsonObject:
    """The config of the artifact's attempt: the run may have been continued with more epochs since."""
    run = artifact.run
    changed = run.events.filter(kind="status_changed", attempt__gte=artifact.attempt, data__has_key="config_before")
    config = dict(run.config)
    for data in changed.order_by("-pk").values_list("data", flat=True):
        config |= data["config_before"]
    return config


def start_from(run: Run, artifact: Artifact) -> tuple[JsonObject, str]:
    """(config changes, backup for the engine) that start a new run from these weights at step 0.

    Raises NotNow if the engine cannot do that.
    """
    refuse_what_is_not_there(run, artifact)
    method = str(keys_of(run.config).get("training_method", ""))
    if artifact.kind == Artifact.Kind.BACKUP:
        return _from_backup(run, Path(artifact.path), method)
    return {_field_of(method): artifact.path} if method != EMBEDDING else _embedding(run, artifact.path), ""


def why_not_start_from(run: Run, artifact: Artifact) -> str:
    """Why a new run cannot start from these weights; empty if it can."""
    try:
        start_from(run, artifact)
    except NotNow as reason:
        return str(reason)
    return ""


def _field_of(method: str) -> str:
    return "lora_model_name" if method == LORA else "base_model_name"


def _embedding(run: Run, path: str) -> JsonObject:
    return {"embedding": {**keys_of(run.config).get("embedding", {}), "model_name": path}}


def _from_backup(run: Run, backup: Path, method: str) -> tuple[JsonObject, str]:
    if run.engine == "builtin":
        return {}, str(backup)
    lora = backup / "lora" / "lora.safetensors"
    if method == LORA and lora.exists():
        return {"lora_model_name": str(lora)}, ""
    raise NotNow(_("OneTrainer would also continue this backup's steps: start from a save or the model instead."))
