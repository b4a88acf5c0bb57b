"""The remaining time of a run: its steps and the phases between them, each as long as it took so far in this run."""

from __future__ import annotations

from django.utils.timezone import now

from engine.interface.config_keys import keys_of
from training.models import Run

REGULAR = {  # phase -> the settings with its interval, the interval's unit, and its first time
    "sampling": ("sample_after", "sample_after_unit", "sample_skip_first"),
    "backup": ("backup_after", "backup_after_unit", ""),
    "saving": ("save_every", "save_every_unit", "save_skip_first"),
}
UNITS = {"SECOND": 1, "MINUTE": 60, "HOUR": 3600}
MOST_SHARE = 0.9  # the largest share of time that phases timed by the clock are assumed to take


def seconds_left(run: Run) -> float | None:
    """Seconds until the run ends; None while that is unknown, or if the run is stopping or does not train.

    If the trainer is in a phase between steps, the remaining time of that phase counts.
    """
    progress, each = run.progress, _seconds_per_step(run)
    if each is None or not (run.is_active and progress.total_steps) or run.status == run.Status.STOPPING:
        return None
    left = progress.steps_to_come * each
    left += sum(seconds * _times_to_come(run, phase) for phase, seconds in progress.times.items())
    return left / (1 - _share_by_the_clock(run)) + _rest_of_phase(run)


def _seconds_per_step(run: Run) -> float | None:
    """The value measured over several steps; of a run outside this site, which is not measured, the log's own.

    A trainer's own first value would be that of its first step, which takes many times as long as any other.
    """
    own = run.progress.steps_per_second if run.is_from_elsewhere else None
    return run.progress.seconds_per_step or (1 / own if own else None)


def _rest_of_phase(run: Run) -> float:
    until = run.progress.busy_until
    if until is None or run.status == run.Status.PAUSED:
        return 0.0
    return max(0.0, (until - now()).total_seconds())


def _times_to_come(run: Run, phase: str) -> float:
    """How many more times this phase will run: after later steps, at the end, and at this step if still due."""
    progress = run.progress
    if phase == "caching":  # cached again at the start of each epoch
        begins = bool(progress.global_step) and progress.epoch_step == 0 and phase not in progress.since_step
        return max(0, progress.max_epoch - progress.epoch - 1 + begins)
    is_last, comes_at_end = not progress.steps_to_come, _comes_at_end(run, phase)
    due_here = _regular_after(run, phase, 1) - _regular_after(run, phase, 0) + (is_last and comes_at_end)
    later = _regular_after(run, phase, 0) + (comes_at_end and not is_last)
    return later + max(0, due_here - progress.since_step.count(phase))


def _comes_at_end(run: Run, phase: str) -> bool:
    return phase == "saving" or (phase == "backup" and bool(keys_of(run.config).get("backup_before_save")))


def _regular_after(run: Run, phase: str, back: int) -> float:
    """How often the config has this phase between `back` steps before the current step and the last step."""
    every, unit, first = _rule(run, phase)
    progress = run.progress
    after = max(0, progress.global_step - back)
    if unit == "ALWAYS":
        return max(0, progress.total_steps - after)
    if every > 0 and unit == "STEP":
        return _multiples(every, max(after, first - 1), progress.total_steps)
    if every > 0 and unit == "EPOCH" and progress.max_step:
        before = bool(back and progress.epoch and not progress.epoch_step)
        return _multiples(every, max(progress.epoch - before, first - 1), progress.max_epoch)
    return 0


def _multiples(every: float, after: float, last: float) -> float:
    return max(0.0, last // every - after // every)


def _share_by_the_clock(run: Run) -> float:
    """The share of time that goes into phases timed in minutes instead of steps."""
    rules = [(seconds, *_rule(run, phase)) for phase, seconds in run.progress.times.items() if phase in REGULAR]
    share = sum(seconds / (every * UNITS[unit]) for seconds, every, unit, _ in rules if unit in UNITS and every > 0)
    return min(MOST_SHARE, share)


def _rule(run: Run, phase: str) -> tuple[float, str, float]:
    every, unit, first = REGULAR.get(phase, ("", "", ""))
    config = run.config
    return config.get(every) or 0, config.get(unit) or "NEVER", config.get(first) or 0
