"""What is done to a site, and when: all of it follows from a seed."""

from __future__ import annotations

import random
from dataclasses import dataclass

KILLS = ("kill web", "kill worker", "kill engine", "kill redis")
FREEZES = ("freeze web", "freeze worker", "freeze engine", "freeze redis")
AROUND = ("fill disk", "turn clock forth", "turn clock back", "upgrade database")
EMBEDDED = (*KILLS, *FREEZES, "tear journal", *AROUND)
OUTAGES = ("kill postgres", "freeze postgres", "cut wire", "refuse wire", "hang wire")  # of the database
AT_ONCE = ("kill web", "kill worker", "kill engine", "tear journal", "cut wire")  # the others last
TRAINING = {  # laid over the demo's config: some seconds of steps, with backups, samples and saves among them
    "epochs": 50,
    "backup_after": 20,
    "backup_after_unit": "STEP",
    "sample_after": 10,
    "sample_after_unit": "EPOCH",
    "save_every": 25,
    "save_every_unit": "EPOCH",
}
SHORT_TRAINING = TRAINING | {"epochs": 16, "backup_after": 10, "sample_after": 8, "save_every": 8}
MOST_LINES = 440  # of the journal of a whole run, about
SHORT, LONG = (0.5, 5.0), (12.0, 25.0)  # seconds that a freeze or an outage lasts


@dataclass(frozen=True)
class Fault:
    """At the journal's line `line`, and `delay` seconds later, so that it meets any moment between two events."""

    kind: str
    line: int
    delay: float
    lasts: float = 0.0

    def __str__(self) -> str:
        lasts = f" for {self.lasts:.1f} s" if self.lasts else ""
        return f"{self.kind} at line {self.line} + {self.delay:.2f} s{lasts}"


@dataclass(frozen=True)
class Plan:
    seed: int
    faults: tuple[Fault, ...]


def make_plan(seed: int) -> Plan:
    """One to four faults; of two that come together, the second may meet the first one's repair."""
    chance = random.Random(seed)
    dealt = [deal(seed, deck) for deck in decks(seed)]
    count = max(len(dealt), chance.choice((1, 2, 2, 3, 4)))
    kinds = [*dealt, *chance.choices(sum(decks(seed), ()), k=count - len(dealt))]
    return Plan(seed, tuple(sorted((_fault(chance, kind) for kind in kinds), key=lambda fault: fault.line)))


def is_shared(seed: int) -> bool:
    """Whether the round is played on PostgreSQL and a Redis of its own: every second one."""
    return seed % 2 == 0


def decks(seed: int) -> tuple[tuple[str, ...], ...]:
    """The kinds of fault that this round's sort of site knows. Their numbers share no divisor, so that in the end each
    kind of one deck is dealt with each of the other.
    """
    return (EMBEDDED, OUTAGES) if is_shared(seed) else (EMBEDDED,)


def deal(seed: int, deck: tuple[str, ...]) -> str:
    """One kind for each round, in turn: by chance alone, thirty rounds would never try some."""
    return deck[seed // 2 % len(deck)]


def _fault(chance: random.Random, kind: str) -> Fault:
    lasts = 0.0 if kind in AT_ONCE else chance.uniform(*chance.choice((SHORT, SHORT, LONG)))
    return Fault(kind, chance.randrange(MOST_LINES), chance.uniform(0, 0.3), lasts)
