"""The steps of one prompt as a GIF or an MP4, made once in bounded time and memory, stored in the run's folder."""

from __future__ import annotations

import hashlib
import os
import threading
from collections.abc import Callable, Iterator
from fractions import Fraction
from itertools import chain
from pathlib import Path

from django.conf import settings
from django.utils.translation import gettext as _
from PIL import Image, ImageOps

from engine.paths.policy import Purpose
from presets.folders.thumbnails import opened, small_picture
from samples.models import Sample
from web.errors import BadInput, NotFound, NotNow
from web.paths.site import refusal

MOST_FRAMES = 150
MOST_KEPT = 12  # films of a run
EDGE = 512  # pixels, at most
WAIT_SECONDS = 20  # waiting for other films: each waiting request holds a thread of the web process
SPEEDS = (1, 2, 4, 8, 15)  # frames a second

making = threading.BoundedSemaphore(1)


def frames_of(sample: Sample, most: int = MOST_FRAMES) -> list[Sample]:
    """The steps of its prompt, evenly thinned if there are too many; the last step is always included."""
    series = [one for one in sample.series().defer("settings") if not one.is_video]
    if len(series) <= most:
        return series
    apart = (len(series) - 1) / (most - 1)
    return [series[round(number * apart)] for number in range(most)]


def film(
    sample: Sample, kind: str, speed: int, *, most_kept: int = MOST_KEPT, wait_seconds: float = WAIT_SECONDS
) -> Path:
    """The file with the film. Raises BadInput, NotFound, and NotNow if too many films are being made."""
    if kind not in WRITERS or speed not in SPEEDS:
        raise BadInput(
            _("A film is a %(kinds)s with %(speeds)s frames a second.")
            % {"kinds": _(" or an ").join(WRITERS), "speeds": ", ".join(map(str, SPEEDS))}
        )
    frames = frames_of(sample)
    key = hashlib.sha256("\n".join([kind, str(speed), *(str(one.pk) for one in frames)]).encode()).hexdigest()[:32]
    kept = settings.DATA_DIR / "runs" / str(sample.run_id) / "films" / f"{key}.{kind}"
    if not making.acquire(timeout=wait_seconds):
        raise NotNow(_("Other films are being made: try again in a minute."))
    try:
        if not kept.is_file():
            _make(frames, kind, speed, kept)
            _make_room(kept.parent, most_kept)
    finally:
        making.release()
    return kept


def _make(frames: list[Sample], kind: str, speed: int, kept: Path) -> None:
    """Written under a temporary name and renamed, so that no incomplete film is ever sent."""
    kept.parent.mkdir(parents=True, exist_ok=True)
    beside = kept.with_name(f".{os.getpid()}-{threading.get_ident()}.{kind}")
    pictures = _pictures(frames)
    first = next(pictures, None)
    if first is None:
        raise NotFound(_("None of the pictures is on this host: they were removed, or they are on another host."))
    try:
        WRITERS[kind](first, pictures, speed, beside)
        beside.replace(kept)
    finally:
        beside.unlink(missing_ok=True)


def _make_room(films: Path, most: int) -> None:
    by_age = sorted(films.glob("[!.]*"), key=lambda path: path.stat().st_mtime)
    for old in by_age[:-most]:
        old.unlink(missing_ok=True)


def _pictures(frames: list[Sample]) -> Iterator[Image.Image]:
    """The readable pictures, one at a time, in the size of the first, rounded to even sides as video needs."""
    size = None
    for sample in frames:
        if refusal(sample.path, Purpose.SEND) or not sample.file.is_file():
            continue
        try:
            with opened(sample.file, Purpose.SEND) as file:
                picture = small_picture(file, sample.file.name, EDGE).convert("RGB")
        except BadInput:
            continue
        size = size or (max(2, picture.width // 2 * 2), max(2, picture.height // 2 * 2))
        yield picture if picture.size == size else ImageOps.pad(picture, size)


def _write_gif(first: Image.Image, others: Iterator[Image.Image], speed: int, path: Path) -> None:
    small = [picture.quantize(256, dither=Image.Dither.FLOYDSTEINBERG) for picture in others]
    times = {"duration": 1000 // speed, "loop": 0}
    first.quantize(256).save(path, "GIF", save_all=True, append_images=small, optimize=False, **times)


def _write_mp4(first: Image.Image, others: Iterator[Image.Image], speed: int, path: Path) -> None:
    import av  # loads 60 MB of encoders, which most sites never need

    with av.open(str(path), "w", options={"movflags": "+faststart"}) as video:
        stream = video.add_stream("libx264", rate=Fraction(speed), options={"crf": "18", "preset": "veryfast"})
        stream.width, stream.height, stream.pix_fmt, stream.codec_context.thread_count = *first.size, "yuv420p", 1
        for picture in chain([first], others):
            video.mux(stream.encode(av.VideoFrame.from_image(picture)))
        video.mux(stream.encode())


Writer = Callable[[Image.Image, Iterator[Image.Image], int, Path], None]
WRITERS: dict[str, Writer] = {"gif": _write_gif, "mp4": _write_mp4}
