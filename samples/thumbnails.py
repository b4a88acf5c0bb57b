"""Thumbnails of samples, of a video its first frame: made on the first request and stored in the run's folder."""

from __future__ import annotations

import os
from pathlib import Path

from django.conf import settings
from django.utils.translation import gettext as _
from PIL import Image

from engine.paths.policy import Purpose
from presets.folders.thumbnails import decoding, keep, opened, small_picture
from samples.models import Sample
from web.errors import DomainError, NotFound
from web.limits.table import limit
from web.paths.site import refusal

EDGE = 384  # pixels; twice the size in a grid, for high-resolution screens


def thumbnail(sample: Sample) -> Path:
    """The file with the sample's thumbnail. Raises NotFound with the reason if there is none."""
    kept = kept_at(sample)
    if not kept.is_file():
        with decoding:
            keep(_small(sample), kept)
    return kept


def kept_at(sample: Sample) -> Path:
    """Its path, in the run's folder, so that it is deleted with the run."""
    return settings.DATA_DIR / "runs" / str(sample.run_id) / "thumbnails" / f"{sample.pk}.webp"


def _small(sample: Sample) -> Image.Image:
    path = sample.file
    if refusal(str(path), Purpose.SEND):
        raise NotFound(_("The file is outside the allowed folders: move it, or ask an admin to add its folder."))
    if not path.is_file():
        raise NotFound(_("The file is not on this host: it was removed, or it is on another host."))
    try:
        return first_frame(path) if sample.is_video else _picture(path)
    except (OSError, DomainError) as error:
        raise NotFound(_("%(name)s cannot be shown as a picture.") % {"name": path.name}) from error


def _picture(path: Path) -> Image.Image:
    with opened(path, Purpose.SEND) as file:
        if os.fstat(file.fileno()).st_size > limit("PICTURE_BYTES"):
            raise NotFound(_("%(name)s is too large to be shown.") % {"name": path.name})
        return small_picture(file, path.name, EDGE)


def first_frame(path: Path) -> Image.Image:
    """The first frame of a video, small; raises OSError if there is none."""
    import av  # loads 60 MB of decoders, which a site without videos never needs

    try:
        with opened(path, Purpose.SEND) as file, av.open(file, "r") as video:
            picture = next(video.decode(video=0)).to_image()
    except (av.error.FFmpegError, IndexError, StopIteration) as error:
        raise OSError(f"{path.name} has no picture in it.") from error
    picture.thumbnail((EDGE, EDGE), Image.Resampling.BICUBIC)
    return picture
