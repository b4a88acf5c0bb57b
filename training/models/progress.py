"""The progress of a run, in its own row: it is written up to 20 times a second, and the run's row is long."""

from __future__ import annotations

from typing import Any

from django.db import models

PLACE = ("epoch", "epoch_step", "epoch_sample", "global_step")


class RunProgress(models.Model):
    """The progress of a run; its worker writes it with each pass over the journal."""

    run = models.OneToOneField("training.Run", primary_key=True, on_delete=models.CASCADE, related_name="progress")
    journal_offset = models.PositiveBigIntegerField(
        default=0, help_text="Bytes of this attempt's journal that are in the database."
    )
    journal_sequence = models.PositiveBigIntegerField(default=0)

    epoch = models.PositiveIntegerField(default=0)
    epoch_step = models.PositiveIntegerField(default=0)
    epoch_sample = models.PositiveBigIntegerField(default=0)
    global_step = models.PositiveBigIntegerField(default=0)
    max_step = models.PositiveIntegerField(default=0, help_text="Micro-batches per epoch.")
    max_epoch = models.PositiveIntegerField(default=0)
    loss = models.FloatField(null=True)
    smooth_loss = models.FloatField(null=True)
    steps_per_second = models.FloatField(null=True)
    seconds_per_step = models.FloatField(null=True, help_text="Of training steps only.")
    times = models.JSONField(default=dict, blank=True, help_text="Seconds of each phase between steps.")
    since_step = models.JSONField(default=list, blank=True, help_text="The phases since the last step.")
    busy_until = models.DateTimeField(null=True, help_text="When the current phase between steps is expected to end.")
    activity = models.JSONField(
        default=dict, blank=True, help_text="How far a phase without steps has come: phase, current, total."
    )
    memory_peak = models.PositiveBigIntegerField(null=True, help_text="Measured bytes on the training device.")

    class Meta:
        verbose_name_plural = "run progress"

    def __str__(self) -> str:
        return f"step {self.global_step}"

    def write(self, **changes: Any) -> None:
        """Store only these fields, and set them on this object too."""
        RunProgress.objects.filter(pk=self.pk).update(**changes)
        for name, value in changes.items():
            setattr(self, name, value)

    @property
    def total_steps(self) -> int:
        """Micro-batches in the whole run, 0 while unknown: epochs before a change of the data had another length."""
        return self.global_step + self.steps_to_come if self.max_step and self.max_epoch else 0

    @property
    def steps_to_come(self) -> int:
        """Micro-batches that are left, if each epoch to come is as long as the present one."""
        return max(0, (self.max_epoch - self.epoch) * self.max_step - self.epoch_step)

    @property
    def fraction_done(self) -> float:
        return min(1.0, self.global_step / self.total_steps) if self.total_steps else 0.0

    def to_dict(self) -> dict[str, int]:
        """OneTrainer's TrainProgress."""
        return {name: getattr(self, name) for name in PLACE}
