"""How long a step takes, and each phase between steps: the time left is estimated from these."""

from __future__ import annotations

from collections import deque
from statistics import median

from training.models import RunProgress

RECENT = 100  # intervals that give the current speed
LEAST = 3  # intervals, before which no speed is reported
LEAST_SECONDS = 1.0  # of an interval: several steps may be reported at once
WARM_UP = 2  # first intervals of an attempt, which are slower than all later ones
CARRIED = 10  # intervals taken over from the previous attempt, until enough new ones are measured
GAP = 3.0  # an interval longer than the usual one times this contains an unreported pause
MEMORY = 20_000  # steps after which older measurements count half
TRAINING, LOADING, SAMPLING = "training", "loading", "sampling"
BETWEEN = (SAMPLING, "backup", "saving", "caching")  # phases that repeat
Interval = tuple[float, float]  # steps, seconds


class Pace:
    """Measures steps and phases from an attempt's journal; it holds only a few numbers.

    `times` has the seconds of each phase: for a repeated phase, the mean of its last duration and the earlier value.
    The seconds of a step come from the recent intervals, without the phases in between. Gaps that no phase explains
    are spread over all steps, since an unreported pause may come again. `busy_until` is when the current phase will
    end.
    """

    def __init__(self, each: float | None = None, times: dict[str, float] | None = None) -> None:
        self.times = dict(times or {})
        self.busy_until: float | None = None
        self.since_step: list[str] = []  # repeated phases
        self._phase, self._since = "", 0.0
        self._loading: float | None = None  # seconds so far, before the first step
        self._drew_all = False
        self._last: tuple[int, float] | None = None
        self._outside = 0.0  # seconds since the last step in other phases
        self._skip = WARM_UP
        self._recent: deque[Interval] = deque()
        self._carried = CARRIED if each else 0
        self._steps = 0.0
        self._lost = 0.0  # seconds in gaps, of this attempt's intervals that are no longer recent
        if each:
            steps = max(1.0, LEAST_SECONDS / each)
            self._recent.extend([(steps, steps * each)] * CARRIED)

    @classmethod
    def of(cls, progress: RunProgress) -> Pace:
        """Start from the stored measurements, of this attempt or the previous one, until there are new ones."""
        pace = cls(progress.seconds_per_step, progress.times)
        pace.since_step = list(progress.since_step)
        return pace

    def start(self, time: float) -> None:
        """The attempt's process has begun."""
        self._loading = 0.0
        self._phase, self._since = LOADING, time
        self.since_step = list(BETWEEN)  # phases due at the first step were done by the previous attempt
        self.busy_until = time + self.times.get(LOADING, 0.0)

    def enter(self, phase: str, time: float) -> None:
        """The trainer enters another phase."""
        self._leave(max(0.0, time - self._since))
        self._phase, self._since, self._drew_all = phase, time, False
        if phase in BETWEEN:
            self.since_step.append(phase)
        if phase == TRAINING and self._loading is not None:
            self.times[LOADING], self._loading = self._loading, None
        if self._loading is None:
            self.busy_until = time + self.times.get(phase, 0.0) if phase in BETWEEN else None

    def _leave(self, seconds: float) -> None:
        phase = self._phase
        if phase not in ("", TRAINING):
            self._outside += seconds
        if self._loading is not None:
            self._loading += seconds if phase == LOADING else 0.0
        elif phase in BETWEEN and (phase != SAMPLING or self._drew_all):
            known = self.times.get(phase, seconds)
            self.times[phase] = (known + seconds) / 2

    def drew(self, kind: str) -> None:
        """The trainer generated a sample; a single custom sample does not show how long all prompts take."""
        self._drew_all = self._drew_all or kind == "default"

    def take(self, step: int, time: float) -> None:
        """The step ended at this time."""
        self.since_step = []
        last = self._last
        if last is None or step < last[0] or time < last[1]:
            self._last, self._outside = (step, time), 0.0
            return
        seconds = time - last[1] - self._outside
        if step == last[0] or seconds < LEAST_SECONDS:
            return
        self._last, self._outside = (step, time), 0.0
        if self._skip:
            self._skip -= 1
            return
        self._recent.append((step - last[0], seconds))
        if len(self._recent) > RECENT:
            self._settle()

    def _settle(self) -> None:
        usual = self._usual()
        steps, seconds = self._recent.popleft()
        if self._carried:
            self._carried -= 1
            return
        self._steps += steps
        self._lost += _lost(steps, seconds, usual)
        if self._steps > MEMORY:
            self._steps, self._lost = self._steps / 2, self._lost / 2

    def _usual(self) -> float:
        """Seconds a step, gaps left out."""
        middle = median(seconds / steps for steps, seconds in self._recent)
        usual = [(steps, seconds) for steps, seconds in self._recent if seconds <= GAP * steps * middle]
        return sum(seconds for _, seconds in usual) / sum(steps for steps, _ in usual)

    @property
    def seconds_per_step(self) -> float | None:
        """Seconds a step with unexplained gaps; None while too little is known."""
        if len(self._recent) < LEAST:
            return None
        usual = self._usual()
        lost = self._lost + sum(_lost(steps, seconds, usual) for steps, seconds in self._recent)
        return usual + lost / (self._steps + sum(steps for steps, _ in self._recent))


def _lost(steps: float, seconds: float, usual: float) -> float:
    return seconds - steps * usual if seconds > GAP * steps * usual else 0.0
