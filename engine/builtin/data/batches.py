"""The pictures of each epoch and their batches: they depend only on the seed and the epoch. No torch."""

from __future__ import annotations

import math
from collections import defaultdict
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from random import Random

from engine.builtin.config.concept_effects import uses_masks
from engine.builtin.config.enums import BalancingStrategy
from engine.builtin.config.model_types import MASK_INPUT
from engine.builtin.config.resolutions import parse_resolution
from engine.builtin.config.train_config import ConceptConfig, TrainConfig, trains_text
from engine.builtin.data.augment import NO_CHANGES, Changes, draw_changes
from engine.builtin.data.buckets import Size, bucket_sizes
from engine.builtin.data.pictures import Crop, Picture, crop_for
from engine.builtin.data.regions import Region, draw_region, outline_of_all
from engine.builtin.data.suitability import doubts
from engine.builtin.data.tags import TagEditor
from engine.interface.errors import Problem


@dataclass(frozen=True, eq=False)
class CaptionedCrop:
    """A picture as it is trained once: cropped, perhaps mirrored and changed, with one caption.

    With `ignores_mask` the whole picture is trained, whatever its mask is.
    """

    picture: Picture
    crop: Crop
    caption: str
    changes: Changes = NO_CHANGES
    region: Region | None = None  # the part of the picture that is cropped, if not all of it
    ignores_mask: bool = False


Group = tuple[Size, ...]  # the sizes of a picture, one for each resolution
Use = tuple[Picture, int]  # a picture, and how often it was used before: the turn


class EpochPlan:
    """Plans epochs. All have the same number of batches, so that a run's length is known at its start.

    With several resolutions the batches of one shape alternate between them. Pictures that do not fill a batch are left
    out of that epoch; the shuffle leaves out different pictures each time.
    """

    def __init__(self, config: TrainConfig, pictures: Sequence[Picture], size_multiple: int) -> None:
        self.config = config
        self.size_multiple = size_multiple
        self.groups: dict[Group, list[Picture]] = defaultdict(list)
        for picture in pictures:
            self.groups[self._group(picture)].append(picture)
        self.shares = _shares(self.groups)
        concepts = {id(picture.concept): picture.concept for picture in pictures}
        self.editors = {key: TagEditor(concept.text) for key, concept in concepts.items()}

    def __len__(self) -> int:
        """Batches in an epoch."""
        return len(self.batches(0))

    def batches(self, epoch: int) -> list[list[CaptionedCrop]]:
        """The epoch's batches, all pictures of one batch at one size."""
        random = Random(f"{self.config.seed}/{epoch}")
        batches: list[list[CaptionedCrop]] = []
        for group in self.groups:
            for number, uses in enumerate(self._whole_batches(self._choose(group, epoch, random))):
                size = group[(number + epoch) % len(group)]
                batches.append([self._item(picture, size, turn, random) for picture, turn in uses])
        random.shuffle(batches)
        return batches

    def variants(self) -> Iterator[CaptionedCrop]:
        """Every crop of every picture that any epoch can use, each with one of its possible captions."""
        for group, pictures in self.groups.items():
            for picture in pictures:
                for turn in range(max(picture.concept.image_variations, picture.concept.text_variations)):
                    for size in dict.fromkeys(group):
                        for flip in _flips(picture.concept):
                            yield self._use(picture, size, turn, flip)

    def uses(self, group: Group) -> int:
        """How many pictures of these sizes an epoch has, with repeats and before batches are filled."""
        return self._count(group)

    def problems(self) -> list[Problem]:
        """An epoch without a batch, and pictures that suit the training badly."""
        size = self.config.batch_size
        if not len(self):
            count, cure = sum(map(self._count, self.groups)), "lower batch_size, raise balancing, or add pictures"
            return [Problem("batch_size", f"{count} pictures in an epoch do not fill a batch of {size}; {cure}")]
        return list(doubts(self.groups, {group: self._count(group) for group in self.groups}, size))

    def _group(self, picture: Picture) -> Group:
        image = picture.concept.image
        text = image.resolution_override if image.enable_resolution_override else self.config.resolution
        size = _size(picture, self._region(picture, 0))
        return bucket_sizes(size, parse_resolution(text), self.config.aspect_ratio_bucketing, self.size_multiple)

    def _count(self, group: Group) -> int:
        """How often an epoch uses a picture of the group."""
        return sum(share for _, share in self.shares[group])

    def _choose(self, group: Group, epoch: int, random: Random) -> list[Use]:
        """The group's pictures of one epoch, shuffled. Like in OneTrainer each epoch goes on where the last one ended,
        so that all pictures of a concept have been used equally often after any number of epochs, give or take once.
        """
        chosen: list[Use] = []
        for pictures, share in self.shares[group]:
            for position in range(epoch * share, (epoch + 1) * share):
                turn, index = divmod(position, len(pictures))
                chosen.append((pictures[index], turn))
        random.shuffle(chosen)
        return chosen

    def _item(self, picture: Picture, size: Size, turn: int, random: Random) -> CaptionedCrop:
        flips = _flips(picture.concept)
        flip = flips[0] if len(flips) == 1 else random.random() < 0.5
        item = self._use(picture, size, turn, flip)
        ignores = self.config.model_type in MASK_INPUT and random.random() < self.config.unmasked_probability
        return replace(item, ignores_mask=True) if ignores else item

    def _use(self, picture: Picture, size: Size, turn: int, flip: bool) -> CaptionedCrop:
        """What is random differs from turn to turn; if pictures are cached, among their image variations."""
        image = picture.concept.image
        variation = turn % picture.concept.image_variations if self.config.latent_caching else turn
        jitter = self._random(picture, f"crop/{variation}") if image.enable_crop_jitter else None
        region = self._region(picture, variation)
        width, height = _size(picture, region)
        return CaptionedCrop(
            picture,
            crop_for(replace(picture.facts, width=width, height=height), size, flip, jitter),
            self._caption(picture, turn),
            draw_changes(image, self._random(picture, f"changes/{variation}")),
            region,
        )

    def _region(self, picture: Picture, variation: int) -> Region | None:
        """The part around the mask, if the concept cuts parts out. All parts of a picture are trained at the sizes of
        its first one, so that the length of an epoch is known.
        """
        if not (picture.concept.image.enable_random_mask_rotate_crop and uses_masks(self.config)):
            return None
        width, height = picture.facts.width, picture.facts.height
        points = outline_of_all(width, height) if picture.outline is None else picture.outline
        smallest = min(min(one.width, one.height) for one in parse_resolution(self.config.resolution))
        return draw_region(points, width, height, smallest, self._random(picture, f"region/{variation}"))

    def _whole_batches(self, uses: list[Use]) -> Iterator[list[Use]]:
        size = self.config.batch_size
        for start in range(0, len(uses) - size + 1, size):
            yield uses[start : start + size]

    def _caption(self, picture: Picture, turn: int) -> str:
        """One of the picture's captions, its tags edited; if it is cached, one of its text variations."""
        cached = self.config.latent_caching and not trains_text(self.config)
        variation = turn % picture.concept.text_variations if cached else turn
        random = self._random(picture, f"caption/{variation}")
        return self.editors[id(picture.concept)].edit(random.choice(picture.captions), random)

    def _random(self, picture: Picture, purpose: str) -> Random:
        """Random numbers that belong to one picture, independent of its folder and of other pictures."""
        return Random(f"{self.config.seed}/{picture.concept.seed}/{picture.facts.digest}/{purpose}")


def _size(picture: Picture, region: Region | None) -> Size:
    """Width and height of the part that is trained."""
    return region.size if region else (picture.facts.width, picture.facts.height)


def _flips(concept: ConceptConfig) -> tuple[bool, ...]:
    """Whether the concept's pictures are used as they are, mirrored, or both; a random flip wins, as in OneTrainer."""
    return (False, True) if concept.image.enable_random_flip else (concept.image.enable_fixed_flip,)


def _shares(groups: dict[Group, list[Picture]]) -> dict[Group, list[tuple[list[Picture], int]]]:
    """By group and concept, its pictures and how many of them an epoch has.

    A concept's fractional number of repeats is divided among its groups so that the sum is right.
    """
    sizes: dict[int, int] = defaultdict(int)
    for picture in (picture for pictures in groups.values() for picture in pictures):
        sizes[id(picture.concept)] += 1
    seen: dict[int, int] = defaultdict(int)
    shares: dict[Group, list[tuple[list[Picture], int]]] = {}
    for group, pictures in groups.items():
        by_concept: dict[int, list[Picture]] = defaultdict(list)
        for picture in pictures:
            by_concept[id(picture.concept)].append(picture)
        shares[group] = []
        for key, own in by_concept.items():
            repeats = _repeats(own[0].concept, sizes[key])
            before, seen[key] = seen[key], seen[key] + len(own)
            shares[group].append((own, _whole(seen[key] * repeats) - _whole(before * repeats)))
    return shares


def _repeats(concept: ConceptConfig, pictures: int) -> float:
    """How many times an epoch uses each of the concept's pictures, on average."""
    by_repeats = concept.balancing_strategy == BalancingStrategy.REPEATS
    return concept.balancing if by_repeats else concept.balancing / pictures


def _whole(number: float) -> int:
    """Rounded down, allowing for the error of floating point."""
    return math.floor(number + 1e-6)
