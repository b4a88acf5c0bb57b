"""Importing the files of a training into its run: samples, backups, saved models and the final model."""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from django.db import transaction
from django.utils.timezone import now

from engine.interface.config_keys import keys_of
from engine.interface.files import total_size
from engine.interface.json_types import JsonObject
from engine.onetrainer.workspace import WorkspaceFile, WorkspaceTraining, is_same_prompt, sample_place
from engine.paths.policy import Purpose, Refused
from engine.paths.weights import is_model
from samples.models import Sample
from training.live.publisher import ALL_RUNS, Message, envelope, group_of
from training.models import Artifact, Run
from web.paths.site import judge, sentence

LONGEST_PATH = 1000
TOLD = 20  # samples in one message; the page shows more


class FileKeeper:
    """Rows for the files of one run; each file is imported once, by its path."""

    def __init__(self, run: Run) -> None:
        self.run = run
        self._known = set(run.samples.values_list("path", flat=True)) | set(
            run.artifacts.values_list("path", flat=True)
        )
        self._refused: set[str] = set()

    @transaction.atomic
    def update(self, training: WorkspaceTraining) -> list[Message]:
        """Import new files, and note missing ones; return the messages for clients."""
        new = [made for made in training.files if str(made.path) not in self._known and self._may(made.path, training)]
        news = self._add_samples(training, [made for made in new if made.kind == "sample"])
        for made in new:
            if made.kind != "sample":
                news.append(self._add_artifact(training, made.kind, made.path, made))
        if training.model and str(training.model) not in self._known and self._may(training.model):
            news.append(self._add_artifact(training, Artifact.Kind.MODEL, training.model, None))
        self._note_what_became_of_them(training)
        self._warn(training)
        return news

    def _may(self, path: Path, training: WorkspaceTraining | None = None) -> bool:
        """Whether the file may be shown: one of the workspace itself, or, without a training, a final model."""
        name = str(path)
        if name in self._refused:
            return False
        why = _why_not(path, training)
        if why:
            self._warn_once(why)
        if why and training is not None:  # a model may be half written now
            self._refused.add(name)
        return not why

    def _add_samples(self, training: WorkspaceTraining, new: list[WorkspaceFile]) -> list[Message]:
        if not new:
            return []
        first = self._next(self.run.samples)
        rows = [self._sample(training, made, first + place) for place, made in enumerate(new)]
        Sample.objects.bulk_create(rows, batch_size=1000)
        self._known |= {row.path for row in rows}
        return [message for row in rows[-TOLD:] for message in self._news_of(row)]

    def _sample(self, training: WorkspaceTraining, made: WorkspaceFile, sequence: int) -> Sample:
        place = sample_place(made)
        index, prompt, without_ema = place or (0, "", False)
        asked = _sample_config(training, index, prompt) if place else {}
        return Sample(
            run=self.run,
            attempt=self.run.attempt,
            sequence=sequence,
            kind=Sample.Kind.DEFAULT if place else Sample.Kind.CUSTOM,
            path=str(made.path),
            index=index,
            prompt=asked.get("prompt") or prompt,
            settings=asked,
            global_step=made.step,
            epoch=made.epoch,
            is_ema=keys_of(training.config).get("ema", "OFF") != "OFF" and not without_ema,
            created_at=training.moment(made.stamp),
        )

    def _news_of(self, sample: Sample) -> list[Message]:
        news = {"run_id": str(self.run.pk), "sample_count": 1, "samples": [sample.to_dict()]}
        text = envelope(f"sample_{sample.kind}", news)
        return [(ALL_RUNS, text), (group_of(self.run.pk), text)]

    def _add_artifact(self, training: WorkspaceTraining, kind: str, path: Path, made: WorkspaceFile | None) -> Message:
        newest = max(training.files, key=lambda one: one.step, default=None)
        told = made or newest
        moment = training.moment(made.stamp) if made else None
        artifact = self.run.artifacts.create(
            attempt=self.run.attempt,
            sequence=self._next(self.run.artifacts),
            kind=kind,
            path=str(path),
            size=total_size(path),
            global_step=max(told.step if told else 0, 0 if made else self.run.progress.global_step),
            epoch=told.epoch if told else 0,
            created_at=moment or _written(path, training),
        )
        data = {"kind": kind, "path": artifact.path, "global_step": artifact.global_step}
        self.run.events.create(attempt=self.run.attempt, kind="artifact", data=data, at=artifact.created_at)
        self._known.add(artifact.path)
        return group_of(self.run.pk), envelope("artifact", artifact.to_dict())

    def _note_what_became_of_them(self, training: WorkspaceTraining) -> None:
        """Backups are pruned during a training, the next training overwrites a model, and a large file grows."""
        for artifact in self.run.artifacts.filter(attempt=self.run.attempt, deleted_at=None):
            path = Path(artifact.path)
            taken_over = artifact.kind == Artifact.Kind.MODEL and training.model != path
            if taken_over or not path.exists():
                Artifact.objects.filter(pk=artifact.pk).update(deleted_at=now())
            elif artifact.kind != Artifact.Kind.BACKUP and (size := total_size(path)) != artifact.size:
                Artifact.objects.filter(pk=artifact.pk).update(size=size)

    def _warn(self, training: WorkspaceTraining) -> None:
        for problem in training.problems:
            self._warn_once(problem)

    def _warn_once(self, sentence: str) -> None:
        if not self.run.events.filter(kind="warning", data__message=sentence).exists():
            self.run.events.create(attempt=self.run.attempt, kind="warning", data={"message": sentence})

    def _next(self, rows: Any) -> int:
        last = rows.filter(attempt=self.run.attempt).order_by("-sequence").first()
        return last.sequence + 1 if last else 1


def _why_not(path: Path, training: WorkspaceTraining | None) -> str:
    """Links may lead out of the workspace, and a config may name any file as its model."""
    name = str(path)
    if len(name) > LONGEST_PATH:
        return f"{name[:80]}… has too long a name: shorten it."
    try:
        real = Path(judge(name, Purpose.SEND).real)
    except Refused as refused:
        return sentence(refused)
    if training is not None:
        is_own = real.is_relative_to(training.workspace.resolve())
        return "" if is_own else f"{name[:200]} is a link that leads out of the workspace, so it is left out."
    return "" if is_model(real) else f"{name[:200]} is not a model, so it is left out."


def _sample_config(training: WorkspaceTraining, index: int, beginning: str) -> JsonObject:
    """The sample of the config at this index if it still has that prompt; a random seed is not known."""
    samples = keys_of(training.config).get("samples")
    asked = samples[index] if isinstance(samples, list) and index < len(samples) else None
    if not isinstance(asked, dict) or not is_same_prompt(str(asked.get("prompt", "")), beginning):
        return {}
    return {key: value for key, value in asked.items() if not (key == "seed" and asked.get("random_seed"))}


def _written(path: Path, training: WorkspaceTraining) -> datetime:
    try:
        return datetime.fromtimestamp(path.stat().st_mtime, UTC)
    except OSError:
        return training.moment(training.stamp)
