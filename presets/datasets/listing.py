"""Which pictures of a data set a page or a script sees: filtered, in an order, and a part of them."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from django.db.models import Case, Count, F, FloatField, IntegerField, Q, QuerySet, Sum, Value, When
from django.db.models.functions import Cast, Length
from django.utils.translation import gettext_lazy

from presets.datasets.files import caption_of, mask_of, path_of
from presets.models import DataSet, DataSetPicture
from web.errors import BadInput

ORDERS = {
    "name": gettext_lazy("Name"),
    "added": gettext_lazy("Newest"),
    "caption": gettext_lazy("Caption"),
    "length": gettext_lazy("Length of the caption"),
    "pixels": gettext_lazy("Pixels"),
    "shape": gettext_lazy("Shape, tall to wide"),
    "bytes": gettext_lazy("Size of the file"),
}
SHOWS = {
    "": gettext_lazy("All"),
    "captioned": gettext_lazy("With a caption"),
    "uncaptioned": gettext_lazy("Without a caption"),
    "masked": gettext_lazy("With a mask"),
    "unmasked": gettext_lazy("Without a mask"),
    "excluded": gettext_lazy("Excluded"),
    "included": gettext_lazy("Not excluded"),
    "problem": gettext_lazy("With a problem"),
}
SHAPES = {
    "": gettext_lazy("Any shape"),
    "square": gettext_lazy("Square"),
    "tall": gettext_lazy("Tall"),
    "wide": gettext_lazy("Wide"),
}
NO_CAPTION = Q(caption=None) | Q(caption="")
FILTERS = {
    "captioned": ~NO_CAPTION,
    "uncaptioned": NO_CAPTION,
    "masked": ~Q(mask=""),
    "unmasked": Q(mask=""),
    "excluded": Q(excluded=True),
    "included": Q(excluded=False),
    "problem": ~Q(problem=""),
    "square": Q(height=F("width")),
    "tall": Q(height__gt=F("width")),
    "wide": Q(width__gt=F("height")),
}


@dataclass(frozen=True)
class Choice:
    """What is shown; a name that is not among the tables above raises BadInput in `pictures`."""

    words: str = ""
    tag: str = ""
    show: str = ""
    shape: str = ""
    smaller_than: int = 0  # of the shorter side, in pixels; 0 for any size
    order: str = "name"


def pictures(data_set: DataSet, choice: Choice) -> QuerySet[DataSetPicture]:
    """The chosen pictures in their order. Raises BadInput."""
    rows = data_set.pictures.all()
    for name, table in (("show", SHOWS), ("shape", SHAPES), ("order", ORDERS)):
        if getattr(choice, name) not in table:
            names = ", ".join(filter(None, table))
            sentence = f"{name} must be one of {names}."
            raise BadInput(sentence, {name: [sentence]})
    for word in choice.words.split():
        rows = rows.filter(Q(name__icontains=word) | Q(caption__icontains=word))
    for key in (choice.show, choice.shape):
        rows = rows.filter(FILTERS[key]) if key else rows
    if choice.tag:
        rows = rows.filter(caption__icontains=choice.tag)
    if choice.smaller_than:
        rows = rows.filter(Q(width__lt=choice.smaller_than) | Q(height__lt=choice.smaller_than))
    return _ordered(rows, choice.order)


def _ordered(rows: QuerySet[DataSetPicture], order: str) -> QuerySet[DataSetPicture]:
    if order == "shape":
        shape = Case(
            When(height=0, then=Value(0.0)),
            default=Cast("width", FloatField()) / Cast("height", FloatField()),
            output_field=FloatField(),
        )
        return rows.order_by(shape, "name")
    keys = {
        "name": ("name",),
        "added": ("-pk",),
        "caption": (F("caption").asc(nulls_first=True), "name"),
        "length": (Length("caption").asc(nulls_first=True), "name"),
        "pixels": (Cast("width", IntegerField()) * Cast("height", IntegerField()), "name"),
        "bytes": ("size", "name"),
    }
    return rows.order_by(*keys[order])


def with_counts(sets: QuerySet[DataSet]) -> QuerySet[DataSet]:
    """Data sets with `picture_count`, `captioned_count`, `excluded_count` and `bytes`."""
    return sets.annotate(
        picture_count=Count("pictures"),
        captioned_count=Count("pictures", filter=~(Q(pictures__caption=None) | Q(pictures__caption=""))),
        excluded_count=Count("pictures", filter=Q(pictures__excluded=True)),
        bytes=Sum("pictures__size", default=0),
    )


def members(data_set: DataSet) -> list[tuple[str, Path]]:
    """The files of the data set for a zip file: pictures, captions and masks, below the set's name."""
    found = []
    for row in data_set.pictures.all():
        picture = path_of(data_set, row.name, row.excluded)
        files = [picture, *([caption_of(picture)] if row.caption is not None else [])]
        files += [mask_of(picture)] if row.mask else []
        found += [(f"{data_set.name}/{file.relative_to(data_set.folder)}", file) for file in files if file.is_file()]
    return found
