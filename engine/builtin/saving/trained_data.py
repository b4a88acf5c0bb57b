"""What a model was trained on, in short: folders, tags, sizes, and the words that all captions share."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass
from difflib import SequenceMatcher
from pathlib import Path

from engine.builtin.data.batches import EpochPlan

# Words that say nothing at the ends of a shared phrase.
FILLERS = {"a", "an", "the", "of", "in", "on", "at", "with", "and", "by", "to", "is", "photo", "image", "picture"}
MOST_WORDS = 75  # of a caption; more do not fit into one prompt


@dataclass(frozen=True)
class DataSummary:
    """`folders`, `tags` and `buckets` have the form of `ss_dataset_dirs`, `ss_tag_frequency` and `ss_bucket_info`.

    `phrase` is the text that every caption has in common, which brings the subject into a prompt; empty without one.
    """

    pictures: int
    folders: dict[str, dict[str, int]]
    tags: dict[str, dict[str, int]]
    buckets: dict[str, dict[str, object]]
    phrase: str


def summary_of(plan: EpochPlan) -> DataSummary:
    """Count the plan's pictures, by folder and by size, and their captions' tags."""
    pictures = [picture for group in plan.groups.values() for picture in group]
    folders: Counter[str] = Counter()
    tags: dict[str, Counter[str]] = {}
    for picture in pictures:
        folder = Path(picture.concept.path).name
        folders[folder] += 1
        tags.setdefault(folder, Counter()).update(tag for caption in picture.captions for tag in tags_in(caption))
    buckets = ((group[0], len(members)) for group, members in plan.groups.items())
    return DataSummary(
        pictures=len(pictures),
        folders={folder: {"n_repeats": 1, "img_count": count} for folder, count in folders.items()},
        tags={folder: dict(counts.most_common()) for folder, counts in tags.items()},
        buckets={
            str(number): {"resolution": list(size), "count": count} for number, (size, count) in enumerate(buckets)
        },
        phrase=shared_phrase(caption for picture in pictures for caption in picture.captions),
    )


def tags_in(caption: str) -> list[str]:
    """The parts of a caption between its commas."""
    return [tag for part in caption.split(",") if (tag := part.strip())]


def shared_phrase(captions: Iterable[str]) -> str:
    """The tags that all captions have, or else the words that stand together in all of them."""
    different = list(dict.fromkeys(captions))
    if not different:
        return ""
    if any("," in caption for caption in different):
        others = [{tag.lower() for tag in tags_in(caption)} for caption in different]
        common = [tag for tag in tags_in(different[0]) if all(tag.lower() in tags for tags in others)]
        if common:
            return ", ".join(common)
    words = different[0].split()[:MOST_WORDS]
    for caption in different[1:]:
        words = _longest_shared(words, caption.split()[:MOST_WORDS])
        if not words:
            return ""
    return " ".join(_without_fillers(words)).strip(",.;:")


def _longest_shared(words: list[str], others: list[str]) -> list[str]:
    """The longest run of words that stand together in both."""
    match = SequenceMatcher(None, _plain(words), _plain(others), autojunk=False).find_longest_match()
    return words[match.a : match.a + match.size]


def _without_fillers(words: list[str]) -> list[str]:
    telling = [number for number, word in enumerate(_plain(words)) if word not in FILLERS]
    return words[telling[0] : telling[-1] + 1] if telling else []


def _plain(words: list[str]) -> list[str]:
    return [re.sub(r"[^\w-]", "", word).lower() for word in words]
