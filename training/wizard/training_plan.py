"""The largest resolution and batch that memory and time allow. Pure functions without I/O."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from functools import lru_cache

from django.utils.translation import gettext as _

from engine.builtin.config.resolutions import parse_resolution
from engine.builtin.data.buckets import bucket_sizes
from training.wizard.families import Device, Family, seconds_per_picture
from training.wizard.memory_fit import Load, peak
from training.wizard.words import caption_for, sample_prompts, shown_minutes
from web.errors import BadInput

USABLE = 0.85  # of the memory: the rest goes to the screen and to fragmentation
LOAD_SECONDS = 30  # to load the model and to save the result
CACHING = 0.5  # cost of encoding a picture once, as a part of the cost of a training step on it
ENOUGH = 0.6  # of the wanted views: a smaller resolution is tried before the plan goes below it
LEAST = 0.08  # of the wanted views: a shorter run trains nothing useful
QUICK_SHARE = 0.4  # of the wanted views is enough for a first test
QUICK_SECONDS = 1800  # a longer first test gets a smaller resolution
SIZES = (1.0, 0.875, 0.75, 0.625, 0.5)  # of the base model's own
SAMPLINGS = 6
SAMPLES_SHARE = 0.25  # of the training time, at most, goes to samples


@dataclass(frozen=True)
class SubjectKind:
    """A kind of subject, and the amount of training that it needs."""

    title: str
    views: int  # how often each picture is used
    least: int  # pictures used in all, at least and at most
    most: int
    rank: int
    why_rank: str
    trains_text: bool = True
    flips: bool = False


KINDS = {
    "person": SubjectKind("a person", 120, 1600, 5000, 16, "a face has more detail than a thing and less than a style"),
    "animal": SubjectKind(
        "an animal", 120, 1600, 5000, 16, "an animal has more detail than a thing and less than a style"
    ),
    "style": SubjectKind("a style", 80, 2400, 10_000, 32, "a style changes every part of a picture", False, True),
    "thing": SubjectKind("a thing", 100, 1200, 4000, 8, "a single thing has little detail"),
    "other": SubjectKind("something else", 100, 1600, 6000, 16, "that suits most subjects"),
}
TINY = SubjectKind("", 300, 4800, 9600, 32, "every layer of this tiny model must be trained", True, True)


@dataclass(frozen=True)
class Pictures:
    """The pictures of a folder; `sizes` and `captions` are those of a part of them."""

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
        """The side of a square with the median area of the pictures."""
        areas = sorted(width * height for width, height in self.sizes)
        return areas[len(areas) // 2] ** 0.5 if areas else float("inf")


@dataclass(frozen=True)
class Answers:
    """The five validated answers. `minutes` is None for "as fast as possible"."""

    pictures: Pictures
    kind: str
    word: str
    family: Family
    base_model: str
    device: Device
    minutes: float | None
    engine: str = "builtin"
    class_word: str = ""
    caption: str = ""  # for all pictures without one, if the user wrote it
    caption_file: str = ""  # the path for a caption that all pictures share
    measured: Mapping[int, float] = field(default_factory=dict)  # seconds per picture in earlier runs, by resolution

    @property
    def what(self) -> SubjectKind:
        return TINY if self.family.tiny else KINDS[self.kind]

    @property
    def trains_text(self) -> bool:
        return self.family.text_rate is not None and self.what.trains_text

    @property
    def prompts(self) -> list[str]:
        own = self.pictures.captions if self.pictures.has_captions else ()
        return sample_prompts(self.kind, self.word, self.class_word, own)

    @property
    def shared_caption(self) -> str:
        """The caption of all pictures without their own."""
        return self.caption or caption_for(self.kind, self.word, self.class_word)


@dataclass(frozen=True)
class TrainingPlan:
    """One way to train: the settings that depend on memory and time."""

    resolution: int
    batch: int
    accumulation: int
    checkpointing: bool
    weights: str
    memory: float  # GiB at the peak
    picture_seconds: float
    per_epoch: int  # pictures used in an epoch
    fits: bool
    epochs: int = 0

    @property
    def steps(self) -> int:
        """Micro-batches: configs and progress count these as steps."""
        return self.views // self.batch

    @property
    def views(self) -> int:
        """Pictures used in all, each time counted."""
        return self.epochs * self.per_epoch


def choose(answers: Answers) -> TrainingPlan:
    """The largest resolution with enough views in the time. Raises BadInput with the answer's field."""
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
    """The number of views (pictures used, each time counted) for a good result."""
    kind = answers.what
    views = min(kind.most, max(kind.least, kind.views * answers.pictures.count))
    return round(views * (QUICK_SHARE if answers.minutes is None else 1))


def sides(answers: Answers) -> list[int]:
    """The resolutions to try, the largest first; never above the pictures, since enlarged pictures teach blur."""
    family = answers.family
    steps = [round(family.native * part / family.multiple) for part in SIZES if part >= family.smallest]
    tried = list(dict.fromkeys(max(1, step) * family.multiple for step in steps))
    return [side for side in tried if side <= answers.pictures.typical_side * 1.1] or tried[-1:]


def best_at(answers: Answers, side: int) -> TrainingPlan:
    """The best plan at this resolution that fits the memory: good weights first, then batch size, then speed."""
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
    load = Load(side, batch, weights, checkpointing, answers.what.rank, answers.trains_text)
    needed = peak(answers.family, answers.device, load)
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
    """Pictures per update of the weights: a larger batch averages out the oddities of single pictures."""
    if answers.family.tiny:
        return 8 if answers.pictures.count >= 8 else 4
    return 4 if answers.pictures.count >= 30 else 2


def _batches(answers: Answers, side: int, wished: int) -> list[int]:
    """Batch sizes that skip few pictures: the pictures of a shape that do not fill a batch are skipped."""
    few = 0.9 * answers.pictures.count
    sizes = [size for size in (8, 4, 2) if size <= wished and _seen_per_epoch(answers, side, size) >= few]
    return [*sizes, 1]


def _seen_per_epoch(answers: Answers, side: int, batch: int) -> int:
    """Pictures in the full batches of an epoch: counted for the pictures of known size, scaled to all."""
    pictures, sizes = answers.pictures, answers.pictures.sizes or ((1, 1),)
    scale = pictures.count / len(sizes)
    groups = _of_one_shape(sizes, side, answers.family.multiple)
    return sum(int(number * scale + 1e-6) // batch * batch for number in groups) or batch


@lru_cache(maxsize=64)
def _of_one_shape(sizes: tuple[tuple[int, int], ...], side: int, multiple: int) -> tuple[int, ...]:
    """The number of pictures of each shape; cached, since every batch size and plan needs it."""
    resolutions = parse_resolution(str(side))
    return tuple(Counter(bucket_sizes(size, resolutions, True, multiple) for size in sizes).values())


# -- time ----------------------------------------------------------------------------------------------------------


def _with_epochs(answers: Answers, plan: TrainingPlan, wanted: int) -> TrainingPlan:
    """Set the epochs to the wanted number, or to the number that the time allows with samples."""
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
    """Seconds from the start to the saved model."""
    seen = plan.views + samplings(answers, plan) * sampling_cost(answers)
    return LOAD_SECONDS + _caching_seconds(answers, plan) + seen * plan.picture_seconds


def samplings(answers: Answers, plan: TrainingPlan) -> int:
    """How often samples are generated: less often if they would take more than a quarter of the time."""
    return min(SAMPLINGS, int(SAMPLES_SHARE * plan.views / sampling_cost(answers)))


def sampling_cost(answers: Answers) -> float:
    """Cost of generating the samples once, in training pictures; a sampling step is two forward passes."""
    return 2 * len(answers.prompts) * answers.family.sample_steps / 3


def _caching_seconds(answers: Answers, plan: TrainingPlan) -> float:
    return answers.pictures.count * plan.picture_seconds * CACHING


# -- refusals -------------------------------------------------------------------------------------------------------


def refuse_too_large(answers: Answers) -> None:
    """Raises BadInput if the base model does not fit this memory in any plan."""
    if not any(best_at(answers, side).fits for side in sides(answers)):
        raise _too_little_memory(answers)


def _too_little_memory(answers: Answers) -> BadInput:
    least = min(best_at(answers, side).memory for side in sides(answers)) / USABLE
    sentence = _("%(title)s needs about %(least)s GB, and this device has %(memory)s: choose a smaller model.") % {
        "title": answers.family.title,
        "least": f"{least + 0.5:.0f}",
        "memory": f"{answers.device.memory:.0f}",
    }
    return BadInput(sentence, {"memory": [sentence]})


def _too_little_time(answers: Answers, plans: list[TrainingPlan], wanted: int) -> BadInput:
    """The error names the shortest useful time."""
    fastest = min(plans, key=lambda plan: plan.picture_seconds)
    epochs = int(LEAST * wanted / fastest.per_epoch) + 1
    seconds = total_seconds(answers, replace(fastest, epochs=epochs)) * (1 + SAMPLES_SHARE)
    sentence = _("This time is too short for training: allow at least %(shown_minutes)s.") % {
        "shown_minutes": shown_minutes(seconds / 60 + 1)
    }
    return BadInput(sentence, {"time": [sentence]})
