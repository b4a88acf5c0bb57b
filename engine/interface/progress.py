"""The progress of a training."""

from dataclasses import asdict, dataclass, replace


@dataclass
class TrainProgress:
    """The progress of a training, counted as OneTrainer counts it.

    `global_step` and `epoch_step` count micro-batches, `epoch_sample` counts pictures; all start at 0.
    """

    epoch: int = 0
    epoch_step: int = 0
    epoch_sample: int = 0
    global_step: int = 0

    def next_step(self, batch_size: int) -> None:
        self.epoch_step += 1
        self.epoch_sample += batch_size
        self.global_step += 1

    def next_epoch(self) -> None:
        self.epoch += 1
        self.epoch_step = 0
        self.epoch_sample = 0

    def filename_string(self) -> str:
        return f"{self.global_step}-{self.epoch}-{self.epoch_step}"

    def copy(self) -> "TrainProgress":
        """A snapshot: a trainer keeps changing its own object."""
        return replace(self)

    def to_dict(self) -> dict[str, int]:
        return asdict(self)
