"""What memory and time allow: the largest size and batch at which enough pictures can be seen. Pure: it asks nobody."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from functools import lru_cache

from django.utils.translation import gettext as _

from engine.builtin.config.resolutions import parse_resolution
from engine.builtin.data.buckets import bucket_sizes
from training.wizard.families import Device, Family, seconds_per_picture
from training.wizard.memory_fit import peak
from training.wizard.words import sample_prompts, shown_minutes
from web.errors import BadInput

USABLE = 0.85  # of the memory: the rest goes to the screen and to what fragments
LOAD_SECONDS = 30  # to load the model and to save the result
CACHING = 0.5  # what it takes to encode a picture once, as a part of a step on it
ENOUGH = 0.6  # of the pictures wished for: a smaller size is tried before fewer than that are seen
LEAST = 0.08  # of them: below that nothing is learnt
QUICK_SHARE = 0.4  # of them is enough for a first look
QUICK_SECONDS = 1800  # a first look that takes longer is taken at a smaller size
SIZES = (1.0, 0.875, 0.75, 0.625, 0.5)  # of the base model's own
SAMPLINGS = 6
SAMPLES_SHARE = 0.25  # of the training's time may go to samples, at most


@dataclass(frozen=True)
class SubjectKind:
    """What the pictures show, and how much of it has to be learnt."""

    title: str
    views: int  # how often each picture is seen
    least: int  # pictures seen in all, at least and at most
    most: int
    rank: int
    why_rank: str
    trains_text: bool = True
    flips: bool = False


KINDS = {
    "person": SubjectKind("a person", 120, 1600, 5000, 16, "a face has more detail than a thing and less than a style"),
    "style": SubjectKind("a style", 80, 2400, 10_000, 32, "a style shows in everything that is drawn", False, True),
    "thing": SubjectKind("a thing", 100, 1200, 4000, 8, "one thing is little to learn"),
}
TINY = SubjectKind("", 300, 4800, 9600, 32, "the model is tiny and every layer has to give", True, True)


@dataclass(frozen=True)
class Pictures:
    """What lies in the folder; `sizes` and `captions` are of some of the pictures."""

    folder: str
    count: int
    captioned: int = 0
    sizes: tuple[tuple[int, int], ...] = ()
    captions: tuple[str, ...] = ()
    subfolders: bool = False

    @property
    def has_captions(self) -> bool:
        return self.count > 0 and self.captioned == self.count

    @property
    def typical_side(self) -> float:
        """The side of a square of the same area as the picture in the middle."""
        areas = sorted(width * height for width, height in self.sizes)
        return areas[len(areas) // 2] ** 0.5 if areas else float("inf")


@dataclass(frozen=True)
class Answers:
    """The five answers, made certain. `minutes` is None for "as quick as possible"."""

    pictures: Pictures
    kind: str
    word: str
    family: Family
    base_model: str
    device: Device
    minutes: float | None
    engine: str = "builtin"
    caption_file: str = ""  # where a caption for all pictures may be written
    measured: Mapping[int, float] = field(default_factory=dict)  # seconds a picture in earlier runs, by resolution

    @property
    def what(self) -> SubjectKind:
        return TINY if self.family.tiny else KINDS[self.kind]

    @property
    def trains_text(self) -> bool:
        return self.family.text_rate is not None and self.what.trains_text

    @property
    def prompts(self) -> list[str]:
        return sample_prompts(self.kind, self.word, self.pictures.captions if self.pictures.has_captions else ())


@dataclass(frozen=True)
class TrainingPlan:
    """One way to train: what is decided by memory and time."""

    resolution: int
    batch: int
    accumulation: int
    checkpointing: bool
    weights: str
    memory: float  # GiB at the peak
    picture_seconds: float
    per_epoch: int  # pictures that are seen in an epoch
    fits: bool
    epochs: int = 0

    @property
    def steps(self) -> int:
        """Micro-batches, which is what configs and progress count."""
        return self.views // self.batch

    @property
    def views(self) -> int:
        """Pictures seen in all."""
        return self.epochs * self.per_epoch


def choose(answers: Answers) -> TrainingPlan:
    """The largest size at which enough pictures are seen in the time. Raises BadInput, naming the answer."""
    refuse_too_large(answers)
    plans = [plan for side in sides(answers) if (plan := best_at(answers, side)).fits]
    wanted = wanted_views(answers)
    timed = [_with_epochs(answers, plan, wanted) for plan in plans]
    if answers.minutes is None:
        quick = (plan for plan in timed if total_seconds(answers, plan) <= QUICK_SECONDS)
        return next(quick, None) or min(timed, key=lambda plan: total_seconds(answers, plan))
    enough = (plan for plan in timed if plan.views >= ENOUGH * wanted)
    best = next(enough, None) or max(timed, key=lambda plan: plan.views)
    if not best.epochs or best.views < LEAST * wanted:
        raise _too_little_time(answers, plans, wanted)
    return best


def wanted_views(answers: Answers) -> int:
    """How many pictures should be seen in all."""
    kind = answers.what
    views = min(kind.most, max(kind.least, kind.views * answers.pictures.count))
    return round(views * (QUICK_SHARE if answers.minutes is None else 1))


def sides(answers: Answers) -> list[int]:
    """The training sizes to try, the largest first: never larger than the pictures, as that teaches blur."""
    family = answers.family
    steps = [round(family.native * part / family.multiple) for part in SIZES if part >= family.smallest]
    tried = list(dict.fromkeys(max(1, step) * family.multiple for step in steps))
    return [side for side in tried if side <= answers.pictures.typical_side * 1.1] or tried[-1:]


def best_at(answers: Answers, side: int) -> TrainingPlan:
    """The best way at this size that fits the memory: good weights first, then whole batches, then speed."""
    wished, formats = _effective_batch(answers), answers.family.weight_types
    checkpointings = (False, True) if answers.device.is_gpu else (False,)
    ways = [
        (weights, checkpointing, batch)
        for weights in formats
        for checkpointing in checkpointings
        for batch in _batches(answers, side, wished)
    ]
    ways.sort(key=lambda way: (formats.index(way[0]), way[2] != wished, way[1], -way[2]))
    plans = [_plan(answers, side, wished, *way) for way in ways]
    return next((plan for plan in plans if plan.fits), min(plans, key=lambda plan: plan.memory))


def _plan(answers: Answers, side: int, wished: int, weights: str, checkpointing: bool, batch: int) -> TrainingPlan:
    shape = (side, batch, weights, checkpointing)
    needed = peak(answers.family, answers.device, *shape, answers.what.rank, answers.trains_text)
    rough = seconds_per_picture(answers.family, answers.device, side, checkpointing)
    return TrainingPlan(
        resolution=side,
        batch=batch,
        accumulation=max(1, wished // batch),
        checkpointing=checkpointing,
        weights=weights,
        memory=needed,
        picture_seconds=answers.measured.get(side, rough),
        per_epoch=_seen_per_epoch(answers, side, batch),
        fits=not answers.device.memory or needed <= answers.device.memory * USABLE,
    )


def _effective_batch(answers: Answers) -> int:
    """Pictures per change of the weights: more of them average out what is odd in one."""
    if answers.family.tiny:
        return 8 if answers.pictures.count >= 8 else 4
    return 4 if answers.pictures.count >= 30 else 2


def _batches(answers: Answers, side: int, wished: int) -> list[int]:
    """Batch sizes that leave out few pictures: those of one shape that do not fill a batch are not trained on."""
    few = 0.9 * answers.pictures.count
    sizes = [size for size in (8, 4, 2) if size <= wished and _seen_per_epoch(answers, side, size) >= few]
    return [*sizes, 1]


def _seen_per_epoch(answers: Answers, side: int, batch: int) -> int:
    """How many pictures are in an epoch's whole batches: of those whose size is known, scaled to all."""
    pictures, sizes = answers.pictures, answers.pictures.sizes or ((1, 1),)
    scale = pictures.count / len(sizes)
    groups = _of_one_shape(sizes, side, answers.family.multiple)
    return sum(int(number * scale + 1e-6) // batch * batch for number in groups) or batch


@lru_cache(maxsize=64)
def _of_one_shape(sizes: tuple[tuple[int, int], ...], side: int, multiple: int) -> tuple[int, ...]:
    """How many pictures fall into each shape; asked again for every batch size and way to train."""
    resolutions = parse_resolution(str(side))
    return tuple(Counter(bucket_sizes(size, resolutions, True, multiple) for size in sizes).values())


# -- time ----------------------------------------------------------------------------------------------------------


def _with_epochs(answers: Answers, plan: TrainingPlan, wanted: int) -> TrainingPlan:
    """As many epochs as are wished for, or as the time allows, samples included."""
    epochs = max(1, round(wanted / plan.per_epoch))
    if answers.minutes is not None:
        left = answers.minutes * 60 - LOAD_SECONDS - _caching_seconds(answers, plan)
        epoch_seconds = plan.per_epoch * plan.picture_seconds
        all_samples = SAMPLINGS * sampling_cost(answers) * plan.picture_seconds
        epochs = min(
            epochs, max(int((left - all_samples) / epoch_seconds), int(left / epoch_seconds / (1 + SAMPLES_SHARE)))
        )
    return replace(plan, epochs=max(0, epochs))


def total_seconds(answers: Answers, plan: TrainingPlan) -> float:
    """From the start to the saved model."""
    seen = plan.views + samplings(answers, plan) * sampling_cost(answers)
    return LOAD_SECONDS + _caching_seconds(answers, plan) + seen * plan.picture_seconds


def samplings(answers: Answers, plan: TrainingPlan) -> int:
    """How often samples are drawn; seldom where that would take more than a quarter of the time."""
    return min(SAMPLINGS, int(SAMPLES_SHARE * plan.views / sampling_cost(answers)))


def sampling_cost(answers: Answers) -> float:
    """What it takes to draw the samples once, in pictures trained on; a sample's step is two forward passes."""
    return 2 * len(answers.prompts) * answers.family.sample_steps / 3


def _caching_seconds(answers: Answers, plan: TrainingPlan) -> float:
    return answers.pictures.count * plan.picture_seconds * CACHING


# -- what cannot be ------------------------------------------------------------------------------------------------


def refuse_too_large(answers: Answers) -> None:
    """Raises BadInput where the base model cannot be trained in this memory, however long it may take."""
    if not any(best_at(answers, side).fits for side in sides(answers)):
        raise _too_little_memory(answers)


def _too_little_memory(answers: Answers) -> BadInput:
    least = min(best_at(answers, side).memory for side in sides(answers)) / USABLE
    there = f"{answers.device.memory:.0f} GB are there"
    sentence = _("%(title)s needs some %(least)s GB, and %(there)s: choose a smaller base model.") % {
        "title": answers.family.title,
        "least": f"{least + 0.5:.0f}",
        "there": there,
    }
    return BadInput(sentence, {"memory": [sentence]})


def _too_little_time(answers: Answers, plans: list[TrainingPlan], wanted: int) -> BadInput:
    """Names the time in which something could be learnt."""
    fastest = min(plans, key=lambda plan: plan.picture_seconds)
    epochs = int(LEAST * wanted / fastest.per_epoch) + 1
    seconds = total_seconds(answers, replace(fastest, epochs=epochs)) * (1 + SAMPLES_SHARE)
    sentence = _("That is too short for anything to be learnt here: allow at least %(shown_minutes)s.") % {
        "shown_minutes": shown_minutes(seconds / 60 + 1)
    }
    return BadInput(sentence, {"time": [sentence]})
