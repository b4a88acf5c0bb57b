"""What the trainer makes of a data set with a config: crops, sizes, batches, captions and their cuts. No torch.

The trainer's own plan computes it from the sizes and captions that the database has, so no file is opened.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from django.utils.translation import gettext as _

from engine.builtin.config.lists import load_concepts
from engine.builtin.config.train_config import ConceptConfig, TrainConfig
from engine.builtin.data.batches import EpochPlan
from engine.builtin.data.concepts import DEFAULT_SIZE_MULTIPLE
from engine.builtin.data.pictures import Crop, Picture, PictureFacts, crop_for
from engine.builtin.data.suitability import doubts
from engine.builtin.data.token_counts import Cut, Encoder, encoders_of
from engine.builtin.reading.captions import read_lines
from engine.builtin.reading.texts import lines_of
from engine.interface.errors import BadConfig
from engine.interface.json_types import JsonObject
from engine.paths.policy import Purpose
from presets.config import configs
from presets.config.named_paths import looks_like_path
from presets.datasets.files import path_of
from presets.models import DataSet, DataSetPicture
from web.errors import BadInput
from web.paths.site import refusal

Size = tuple[int, int]


@dataclass(frozen=True)
class Bucket:
    """Pictures that share batches: their sizes, how many there are, and what happens to them in an epoch."""

    sizes: tuple[Size, ...]
    pictures: int
    uses: int  # in an epoch, with repeats
    batches: int
    dropped: int  # uses that do not fill a batch
    share: int  # percent of the largest bucket, for the chart

    @property
    def title(self) -> str:
        return ", ".join(f"{width} × {height}" for width, height in self.sizes)


@dataclass(frozen=True)
class CaptionCut:
    encoder: str
    tokens: int
    limit: int
    kept: str
    rest: str


@dataclass(frozen=True)
class SeenPicture:
    """A picture as it is trained: its crop in percent of the picture, its size, and its first caption."""

    row: DataSetPicture
    size: Size
    left: float
    top: float
    width: float
    height: float
    lost: int  # percent of the area outside of the crop
    scale: float
    caption: str
    captions: int
    tokens: int
    cuts: list[CaptionCut]

    @property
    def path(self) -> str:
        """What is outside of the crop, as a path of SVG in a square of 100 by 100."""
        left, top, width, height = (f"{part:.2f}" for part in (self.left, self.top, self.width, self.height))
        return f"M0 0H100V100H0Z M{left} {top}h{width}v{height}h-{width}Z"


class TrainersView:
    """One data set as the built-in trainer plans it with a config. Raises BadInput for a config that cannot be read."""

    def __init__(self, data_set: DataSet, partial: JsonObject) -> None:
        self.data_set = data_set
        try:
            full = configs.full_config("builtin", partial)
            self.config = TrainConfig.from_dict({**full, "concepts": full.get("concepts") or []})
            self.concept = self._concept()
            self.of_concept = self._captions_of_concept()
            rows = data_set.pictures.filter(excluded=False, problem="", width__gt=0)
            self.rows = {row.name: row for row in rows}
            self.pictures = [self._picture(row) for row in self.rows.values()]
            self.plan = EpochPlan(self.config, self.pictures, DEFAULT_SIZE_MULTIPLE)
        except (BadConfig, OSError, ValueError, TypeError) as error:
            raise BadInput(_("This config cannot be read (%(error)s): choose another.") % {"error": error}) from error
        self.encoders = self._encoders()
        self.groups = {id(one): sizes for sizes, group in self.plan.groups.items() for one in group}
        self.by_name = {self._name(one): one for one in self.pictures}

    def _concept(self) -> ConceptConfig:
        """The config's concept of this folder, else its first one's settings, else the defaults."""
        concepts = load_concepts(self.config)
        folder = self.data_set.folder.resolve()
        mine = next((one for one in concepts if one.path and Path(one.path).resolve() == folder), None)
        base = mine or next(iter(concepts), None) or ConceptConfig.from_dict({})
        return replace(base, path=str(self.data_set.folder))

    def _encoders(self) -> list[Encoder]:
        """The text encoders of the base model, if it is where this site may read."""
        name = self.config.base_model_name
        if not name or (looks_like_path(name) and refusal(name, Purpose.LOAD_MODEL)):
            return []
        return encoders_of(self.config)

    def _captions_of_concept(self) -> tuple[str, ...]:
        """The captions of the text file that the concept names, if the site may read it. Raises OSError."""
        path = self.concept.text.prompt_path
        readable = self.concept.text.prompt_source == "concept" and path and not refusal(path, Purpose.READ_TEXT)
        return read_lines(Path(path).expanduser()).captions if readable and Path(path).expanduser().is_file() else ()

    def _picture(self, row: DataSetPicture) -> Picture:
        path = path_of(self.data_set, row.name)
        source = self.concept.text.prompt_source
        captions = (path.stem,) if source == "filename" else lines_of(row.caption or "") or ("",)
        if source == "concept":
            captions = self.of_concept or ("",)
        return Picture(path, self.concept, captions, PictureFacts(row.sha256, row.width, row.height))

    def _name(self, picture: Picture) -> str:
        return picture.path.relative_to(self.data_set.folder).as_posix()

    def buckets(self) -> list[Bucket]:
        """The largest first."""
        size, found = self.config.batch_size, []
        most = max((len(group) for group in self.plan.groups.values()), default=1)
        for sizes, group in self.plan.groups.items():
            uses = self.plan.uses(sizes)
            share = round(100 * len(group) / most)
            found.append(Bucket(sizes, len(group), uses, uses // size, uses % size, share))
        return sorted(found, key=lambda bucket: -bucket.pictures)

    def doubts(self) -> list[str]:
        """Why pictures suit these settings badly, in sentences."""
        uses = {sizes: self.plan.uses(sizes) for sizes in self.plan.groups}
        return [problem.message for problem in doubts(self.plan.groups, uses, self.config.batch_size)]

    def see(self, names: Sequence[str]) -> list[SeenPicture]:
        """These pictures as they are trained; names without a trained picture are left out."""
        pictures = [self.by_name[name] for name in names if name in self.by_name]
        counted = [_counted(encoder, [one.captions[0] for one in pictures]) for encoder in self.encoders]
        return [self._seen(one, [cuts[index] for cuts in counted]) for index, one in enumerate(pictures)]

    def _seen(self, picture: Picture, counted: list[tuple[int, CaptionCut | None]]) -> SeenPicture:
        facts, size = picture.facts, self.groups[id(picture)][0]
        crop = crop_for(facts, size, flip=False, jitter=None)
        part = _part_of(crop)
        return SeenPicture(
            self.rows[self._name(picture)],
            size,
            *part,
            lost=round(100 - part[2] * part[3] / 100),
            scale=crop.scaled[0] / facts.width,
            caption=picture.captions[0],
            captions=len(picture.captions),
            tokens=max((tokens for tokens, _cut in counted), default=0),
            cuts=[cut for _tokens, cut in counted if cut],
        )


def _part_of(crop: Crop) -> tuple[float, float, float, float]:
    """(left, top, width, height) of the crop in percent of the picture."""
    (width, height), size = crop.scaled, crop.size
    return 100 * crop.left / width, 100 * crop.top / height, 100 * size[0] / width, 100 * size[1] / height


def _counted(encoder: Encoder, captions: list[str]) -> list[tuple[int, CaptionCut | None]]:
    """(tokens, where it is cut off) of each caption."""
    if not captions:
        return []
    numbers = encoder.counts(captions)
    cuts = [_cut_of(encoder, cut) if cut else None for cut in encoder.cuts(captions)]
    return list(zip(numbers, cuts, strict=True))


def _cut_of(encoder: Encoder, cut: Cut) -> CaptionCut:
    return CaptionCut(encoder.title, cut.tokens, encoder.limit, cut.last_word, cut.rest)
