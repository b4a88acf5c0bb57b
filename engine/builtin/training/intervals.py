"""The times at which an action is due that a config wants every few steps, epochs or minutes."""

from __future__ import annotations

import time
from collections.abc import Callable

from engine.builtin.config.enums import TimeUnit
from engine.interface.progress import TrainProgress

SECONDS = {TimeUnit.SECOND: 1, TimeUnit.MINUTE: 60, TimeUnit.HOUR: 3600}


class Interval:
    """`every` and `unit` as in a config; nothing is due before `skip_first` of the unit."""

    def __init__(
        self, every: float, unit: TimeUnit, skip_first: float = 0, clock: Callable[[], float] = time.monotonic
    ) -> None:
        self.every, self.unit, self.skip_first, self._clock = every, unit, skip_first, clock
        self._start = self._last = clock()

    @property
    def begins_at_zero(self) -> bool:
        """True if the action is also done before the first step, as OneTrainer does for samples: it skips nothing."""
        if self.unit is TimeUnit.ALWAYS:
            return not self.skip_first
        return self.unit is not TimeUnit.NEVER and self.every > 0 and not self.skip_first

    def is_due(self, progress: TrainProgress) -> bool:
        """Ask once after each step; `progress` already counts that step."""
        if self.unit is TimeUnit.ALWAYS:
            return True
        if self.unit is TimeUnit.NEVER or self.every <= 0:
            return False
        if self.unit is TimeUnit.STEP:
            return progress.global_step >= self.skip_first and progress.global_step % self.every == 0
        if self.unit is TimeUnit.EPOCH:
            return progress.epoch_step == 0 and progress.epoch >= self.skip_first and progress.epoch % self.every == 0
        return self._time_is_due(SECONDS[self.unit])

    def _time_is_due(self, seconds: int) -> bool:
        present = self._clock()
        if present - self._last < self.every * seconds or present - self._start < self.skip_first * seconds:
            return False
        self._last = present
        return True


class DueActions:
    """Actions by their interval; a due action stays due until it is taken."""

    def __init__(self, actions: list[tuple[Interval, Callable[[], object]]]) -> None:
        self._actions = actions
        self._due: set[Interval] = set()

    def look(self, progress: TrainProgress) -> None:
        """Note the actions that become due; call once after each step."""
        self._due |= {interval for interval, _ in self._actions if interval.is_due(progress)}

    def take(self) -> list[Callable[[], object]]:
        """The due actions, in their order; they count as done from now on."""
        due, self._due = self._due, set()
        return [action for interval, action in self._actions if interval in due]
