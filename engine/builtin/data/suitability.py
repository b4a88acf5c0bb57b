"""Pictures that suit the training badly: far from its size, of an extreme shape, or too few for a batch. No torch."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence

from engine.builtin.data.buckets import Size
from engine.builtin.data.pictures import Picture
from engine.builtin.reading.findings import Findings, Kind, printable
from engine.interface.errors import Problem

ENLARGED = 2.0  # times: beyond it, a picture is mostly blur
REDUCED = 8.0  # times: beyond it, reading takes long, and details are gone
CROPPED = 0.4  # share of a picture's area outside its crop
LEFT_OUT = 0.25  # share of an epoch

SMALL = Kind(
    "{number} {picture is|pictures are} enlarged more than twice, which trains blur: {names}; use larger pictures, or "
    "lower the resolution"
)
LARGE = Kind(
    "{number} {picture is|pictures are} more than 8 times as wide and high as {it is|they are} trained: {names}; scale "
    "{it|them} down so that {it is|they are} read faster, or crop what matters"
)
ODD = Kind(
    "{number} {picture loses|pictures lose} more than 40% of {its|their} area when {it is|they are} cropped to the "
    "training shape: {names}; crop {it|them} yourself, or turn on aspect_ratio_bucketing if it is off"
)
TOO_FEW = Kind(
    "{number} {picture is|pictures are} not trained, because too few of {its|their} shape exist to fill a batch: "
    "{names}; lower batch_size, raise balancing, or add pictures"
)
REPEATED = Kind(
    "{number} {picture is|pictures are} several times in the same batch, because too few of {its|their} shape exist: "
    "{names}; lower batch_size, or add pictures"
)


def doubts(
    groups: Mapping[tuple[Size, ...], Sequence[Picture]], uses: Mapping[tuple[Size, ...], int], batch_size: int
) -> Iterator[Problem]:
    """The warnings about pictures by the sizes that they are trained at; `uses` is how often an epoch uses a group."""
    findings = Findings()
    for sizes, pictures in groups.items():
        shape = "x".join(map(str, sizes[0]))
        for picture in pictures:
            _compare(findings, picture, sizes)
        names = [f"{printable(picture.path.name)} ({shape})" for picture in pictures]
        if uses[sizes] < batch_size:
            findings.add("batch_size", TOO_FEW, *names)
        elif len(pictures) < batch_size:
            findings.add("batch_size", REPEATED, *names)
    yield from findings.problems()
    yield from _left_over(uses, batch_size)


def _compare(findings: Findings, picture: Picture, sizes: tuple[Size, ...]) -> None:
    """Compare a picture's size and shape with those that it is trained at."""
    facts, name = picture.facts, printable(picture.path.name)
    scales = [max(width / facts.width, height / facts.height) for width, height in sizes]
    kept = max(
        width * height / (facts.width * facts.height * scale**2)
        for (width, height), scale in zip(sizes, scales, strict=True)
    )
    if max(scales) > ENLARGED:
        width, height = sizes[scales.index(max(scales))]
        findings.add("resolution", SMALL, f"{name} ({facts.width}x{facts.height} to {width}x{height})")
    if min(scales) < 1 / REDUCED:
        findings.add("resolution", LARGE, f"{name} ({facts.width}x{facts.height})")
    if 1 - kept > CROPPED:
        findings.add("aspect_ratio_bucketing", ODD, f"{name} ({facts.width}x{facts.height})")


def _left_over(uses: Mapping[tuple[Size, ...], int], batch_size: int) -> Iterator[Problem]:
    """Pictures that are left over at the end of an epoch; the shuffle leaves out others each time."""
    filling = [count for count in uses.values() if count >= batch_size]
    left, total = sum(count % batch_size for count in filling), sum(filling)
    if left > LEFT_OUT * total:
        text = f"each epoch leaves out {left:,} of {total:,} pictures, which do not fill a batch of {batch_size}"
        yield Problem("batch_size", f"{text}; choose a batch_size that divides their number, or 1", "warning")
