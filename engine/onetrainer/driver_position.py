"""The position of a resumed training, held against the present data before OneTrainer's loader takes it.

OneTrainer's loader skips as many pictures as the epoch had trained, whatever the pictures are now, and its schedule
begins at the backup's step, which in fewer data can be behind its end: then the rest trains with a rate of 0. So a
position in other data is moved to the next epoch, and the schedule begins where it ends with the last update.
"""

import json
from pathlib import Path
from typing import Any

from engine.interface.data_facts import FILE_NAME, changes, data_facts, read_concepts
from engine.interface.position import place_in_other_data
from engine.interface.progress import TrainProgress

PLACE = ("epoch", "epoch_step", "epoch_sample", "global_step")


class Position:
    """`backup` is the path of the backup to resume from, or None; `say` reports a notice to the user."""

    def __init__(self, backup, say):
        self._backup = Path(backup) if backup else None
        self._say = say
        self._data = None
        self._progress: Any = None  # OneTrainer's own, which it changes
        self._knows_data = False
        self.first_step = 0

    def put_in_place(self):
        """Put itself between OneTrainer's classes, before a trainer is created."""
        from modules.trainer.BaseTrainer import BaseTrainer
        from modules.util import create

        make_loader, make_schedule = BaseTrainer.create_data_loader, create.create_lr_scheduler

        def create_data_loader(trainer, *arguments, **more):
            """Versions of OneTrainer pass different arguments, of which the progress alone counts here."""
            given = [*arguments, *more.values()]
            if not any(one is True for one in given):  # the loader of the training, not that of a validation
                self._hold(trainer.config, next(one for one in given if hasattr(one, "epoch_step")))
            return make_loader(trainer, *arguments, **more)

        def create_lr_scheduler(**facts):
            facts["global_step"] = self._start_of_schedule(**facts)
            return make_schedule(**facts)

        BaseTrainer.create_data_loader, create.create_lr_scheduler = create_data_loader, create_lr_scheduler

    def _hold(self, config, progress):
        """Move the position if it is one in other data."""
        self._progress, self.first_step = progress, progress.global_step
        self._data = data_facts(_values(config), read_concepts(_values(config)))
        if self._backup is None or not (self._backup / FILE_NAME).exists():
            return
        self._knows_data = True
        saved = json.loads((self._backup / FILE_NAME).read_text(encoding="utf-8"))
        at = TrainProgress(**{name: getattr(progress, name) for name in PLACE})
        placement = place_in_other_data(at, changes(saved, self._data), config.epochs)
        for name in PLACE:
            setattr(progress, name, getattr(placement.progress, name))
        if placement.notice:
            self._say(placement.notice)

    def _start_of_schedule(self, approximate_epoch_length, num_epochs, gradient_accumulation_steps, **_facts):
        """The step from which the schedule ends with the last update; without a change it is the present step."""
        length, accumulation, at = approximate_epoch_length, gradient_accumulation_steps, self._progress
        self._warn_of_old_backup(length)
        to_come = max(0, num_epochs * length - at.epoch * length - at.epoch_step)
        end = at.global_step + to_come
        updates = end // accumulation - at.global_step // accumulation
        unused = end % accumulation
        if unused:
            self._say(
                f"The last {unused} steps of the run fill no accumulation of {accumulation}, so they do not "
                "change the weights: choose gradient_accumulation_steps that divide the steps of the run to use them."
            )
        return max(0, num_epochs * length // accumulation - updates) * accumulation

    def _warn_of_old_backup(self, length):
        """A backup that does not say what it was trained on shows a change by its counts alone."""
        at = self._progress
        fits = at.epoch_step < length and at.global_step == at.epoch * length + at.epoch_step
        if self._backup is not None and not self._knows_data and not fits:
            self._say(
                f"The training data has changed since the backup ({length} steps in an epoch do not fit step "
                f"{at.global_step} of the backup): of epoch {at.epoch + 1} only the pictures after the first "
                f"{at.epoch_sample} are trained, if there are more, and then the next epoch."
            )

    def write_data(self, backup):
        """Write into the backup what it was trained on."""
        (backup / FILE_NAME).write_text(json.dumps(self._data), encoding="utf-8")


def _values(config):
    concepts = None if config.concepts is None else [concept.to_dict() for concept in config.concepts]
    names = ("batch_size", "resolution", "aspect_ratio_bucketing", "concept_file_name")
    return {"concepts": concepts, **{name: getattr(config, name, None) for name in names}}
