"""The faults of a site and their times, all derived from a seed."""

from __future__ import annotations

import random
from dataclasses import dataclass

KILLS = ("kill web", "kill worker", "kill engine", "kill redis")
FREEZES = ("freeze web", "freeze worker", "freeze engine", "freeze redis")
AROUND = ("fill disk", "turn clock forth", "turn clock back", "upgrade database")
EMBEDDED = (*KILLS, *FREEZES, "tear journal", *AROUND)
OUTAGES = ("kill postgres", "freeze postgres", "cut wire", "refuse wire", "hang wire")  # of the database
AT_ONCE = ("kill web", "kill worker", "kill engine", "tear journal", "cut wire")  # the others last
TRAINING = {  # changes to the demo's config: some seconds of steps with backups, samples and saves
    "epochs": 50,
    "backup_after": 20,
    "backup_after_unit": "STEP",
    "sample_after": 10,
    "sample_after_unit": "EPOCH",
    "save_every": 25,
    "save_every_unit": "EPOCH",
}
SHORT_TRAINING = TRAINING | {"epochs": 16, "backup_after": 10, "sample_after": 8, "save_every": 8}
MOST_LINES = 440  # length of the journal of a whole run, about
SHORT, LONG = (0.5, 5.0), (12.0, 25.0)  # seconds that a freeze or an outage lasts


@dataclass(frozen=True)
class Fault:
    """A fault `delay` seconds after the journal's line `line`, so that it can hit any moment between two events."""

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
    """One to four faults; the second of two close faults may hit the recovery from the first."""
    chance = random.Random(seed)
    dealt = [deal(seed, deck) for deck in decks(seed)]
    count = max(len(dealt), chance.choice((1, 2, 2, 3, 4)))
    kinds = [*dealt, *chance.choices(sum(decks(seed), ()), k=count - len(dealt))]
    return Plan(seed, tuple(sorted((_fault(chance, kind) for kind in kinds), key=lambda fault: fault.line)))


def is_shared(seed: int) -> bool:
    """True if the round uses a separate PostgreSQL and Redis: every second round."""
    return seed % 2 == 0


def decks(seed: int) -> tuple[tuple[str, ...], ...]:
    """The kinds of fault for this kind of site, in two decks. Their sizes have no common divisor, so that in the
    end each kind of one deck is combined with each kind of the other.
    """
    return (EMBEDDED, OUTAGES) if is_shared(seed) else (EMBEDDED,)


def deal(seed: int, deck: tuple[str, ...]) -> str:
    """One kind for each round, in turn: with random kinds, thirty rounds could miss some."""
    return deck[seed // 2 % len(deck)]


def _fault(chance: random.Random, kind: str) -> Fault:
    lasts = 0.0 if kind in AT_ONCE else chance.uniform(*chance.choice((SHORT, SHORT, LONG)))
    return Fault(kind, chance.randrange(MOST_LINES), chance.uniform(0, 0.3), lasts)
