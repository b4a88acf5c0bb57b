"""Checks of the settings of noise and schedule together: values that cannot train, or that change nothing."""

from __future__ import annotations

from collections.abc import Callable, Iterator

from engine.builtin.config.enums import LearningRateScheduler, Optimizer, TimestepDistribution, TimeUnit
from engine.builtin.config.model_types import trainable_parts
from engine.builtin.config.schedulers import scheduler_problems
from engine.builtin.config.train_config import TrainConfig, TrainModelPartConfig
from engine.interface.errors import Problem

INTERVALS = {"sample_after": "generates samples", "backup_after": "writes backups", "save_every": "saves its model"}
LARGEST_TAIL = 1.75  # 2 / (pi - 2), beyond which "mode sampling" leaves the range: arXiv:2403.03206, section 3.1


def _zero_terminal_snr(config: TrainConfig) -> Iterator[Problem]:
    """The strength of generalized offset noise has no bound where the last timestep is pure noise."""
    if not config.rescale_noise_scheduler_to_zero_terminal_snr:
        return
    if config.generalized_offset_noise and config.offset_noise_weight:
        message = "cannot be combined with rescale_noise_scheduler_to_zero_terminal_snr; turn one of them off"
        yield Problem("generalized_offset_noise", message)


def _timesteps(config: TrainConfig) -> Iterator[Problem]:
    chosen = config.timestep_distribution
    if config.timestep_shift <= 0:
        yield Problem("timestep_shift", "must be above 0; 1 shifts nothing")
    if chosen == TimestepDistribution.HEAVY_TAIL and not -1 <= config.noising_weight <= LARGEST_TAIL:
        yield Problem("noising_weight", f"must be from -1 to {LARGEST_TAIL} for HEAVY_TAIL")
    elif chosen == TimestepDistribution.LOGIT_NORMAL and config.noising_weight <= -1:
        yield Problem("noising_weight", "must be above -1 for LOGIT_NORMAL, whose standard deviation it is, less 1")
    elif chosen == TimestepDistribution.BETA and not (config.noising_weight > 0 and config.noising_bias > 0):
        message = (
            "and noising_bias are the two shapes of BETA: near 0 only the first and the last timestep are trained; "
            "0.8 and 1 are usual"
        )
        yield Problem("noising_weight", message, "warning")
    elif chosen == TimestepDistribution.INVERTED_PARABOLA and not _has_peak(config):
        yield Problem("noising_bias", "leaves no timestep for INVERTED_PARABOLA; bring it nearer to 0")


def _has_peak(config: TrainConfig) -> bool:
    """True if the parabola is above 0 somewhere between the first and the last timestep."""
    center = config.noising_bias + 0.5
    nearest = min(max(center, 0.0), 1.0)
    farthest = 0.0 if center > 0.5 else 1.0
    place = nearest if config.noising_weight >= 0 else farthest
    return 2 - config.noising_weight * (place - center) ** 2 > 0


def _schedule(config: TrainConfig) -> Iterator[Problem]:
    course = config.learning_rate_scheduler
    if course == LearningRateScheduler.CUSTOM:
        yield from scheduler_problems(config)
    relative = config.optimizer.optimizer == Optimizer.ADAFACTOR and config.optimizer.relative_step
    if course == LearningRateScheduler.ADAFACTOR and not relative:
        message = "ADAFACTOR needs the optimizer ADAFACTOR with relative_step; choose another scheduler"
        yield Problem("learning_rate_scheduler", message)
    if config.optimizer.optimizer == Optimizer.ADAFACTOR and config.optimizer.warmup_init and not relative:
        yield Problem("optimizer.warmup_init", "needs optimizer.relative_step; turn both on, or both off")
    yield from _flat_schedule(config)


def _flat_schedule(config: TrainConfig) -> Iterator[Problem]:
    """A course that stays at its first value, although another course than CONSTANT was chosen."""
    course = config.learning_rate_scheduler
    if course in (LearningRateScheduler.CONSTANT, LearningRateScheduler.ADAFACTOR, LearningRateScheduler.CUSTOM):
        return
    why = f"so the learning rate stays constant in spite of {course}"
    if config.learning_rate_min_factor == 1:
        yield Problem("learning_rate_min_factor", f"is 1, {why}; lower it, or choose CONSTANT", "warning")
    restarts = (LearningRateScheduler.COSINE_WITH_RESTARTS, LearningRateScheduler.COSINE_WITH_HARD_RESTARTS)
    if course in restarts and config.learning_rate_cycles == 0:
        yield Problem("learning_rate_cycles", f"is 0, {why}; raise it, or choose CONSTANT", "warning")


def _intervals(config: TrainConfig) -> Iterator[Problem]:
    """An interval of 0 stands for never, which the unit says more clearly."""
    for name, what in INTERVALS.items():
        unit = getattr(config, f"{name}_unit")
        if getattr(config, name) == 0 and unit not in (TimeUnit.NEVER, TimeUnit.ALWAYS):
            text = f"is 0, so the run {what} at no time between its start and its end; enter a number above 0"
            yield Problem(name, f"{text}, or choose NEVER as {name}_unit", "warning")


def _stops(config: TrainConfig) -> Iterator[Problem]:
    """A part whose training stops early needs the time of its end."""
    for name in trainable_parts(config.model_type):
        part: TrainModelPartConfig = getattr(config, name)
        timed = part.stop_training_after_unit not in (TimeUnit.NEVER, TimeUnit.ALWAYS)
        if part.train and timed and part.stop_training_after is None:
            yield Problem(f"{name}.stop_training_after", "is empty; enter a number, or choose the unit NEVER")


TRAINING_RULES: tuple[Callable[[TrainConfig], Iterator[Problem]], ...] = (
    _zero_terminal_snr,
    _timesteps,
    _schedule,
    _intervals,
    _stops,
)
