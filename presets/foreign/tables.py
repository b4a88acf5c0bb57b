"""Translating by a table: each row is a key there, a dotted path here, and the conversion of its value."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any

from engine.interface.json_types import JsonObject

LONGEST_SHOWN, MOST_NAMED = 60, 40


class NoCounterpart(ValueError):
    """The value means something that no value here means; the message says what, if that is not obvious."""


@dataclass
class Translation:
    """A config in OneTrainer's form, and notes for the person who brought the foreign file."""

    tool: str
    config: JsonObject = field(default_factory=dict)
    notes: list[str] = field(default_factory=list)

    def put(self, path: str, value: object) -> None:
        """Set the value at a dotted path."""
        *above, name = path.split(".")
        owner = self.config
        for part in above:
            owner = owner.setdefault(part, {})
        owner[name] = value

    def note(self, sentence: str) -> None:
        if sentence not in self.notes:
            self.notes.append(sentence)

    def leave_out(self, key: str, value: object, why: str = "") -> None:
        self.note(f"{key} ({shown(value)}) was not translated{': ' + why if why else ''}.")


Convert = Callable[[Any], Any]
Row = tuple[str, str, Convert]  # the key there, the paths here (several with spaces between them), the conversion


def translate(
    rows: Iterable[Row], source: Mapping[str, Any], into: Translation, ignored: Iterable[str] = (), above: str = ""
) -> None:
    """Take over all keys that a row names, and report all others that are not in `ignored`."""
    table = {key: (paths, convert) for key, paths, convert in rows}
    silent, left = set(ignored), []
    for key, value in source.items():
        if key in table and value not in (None, ""):  # a form's empty field is no setting
            paths, convert = table[key]
            _take(f"{above}{key}", value, paths, convert, into)
        elif key not in silent and key not in table and value not in (None, "", [], {}, False):
            left.append(f"{above}{key}")
    if left:
        more = f" and {len(left) - MOST_NAMED} more" if len(left) > MOST_NAMED else ""
        into.note(f"Not translated, since there is no such setting here: {', '.join(left[:MOST_NAMED])}{more}.")


def in_steps(steps: Iterable[Callable[[Any, Translation], None]], source: Any, into: Translation) -> None:
    """Take each step; a step that meets a value of an unexpected form is reported, and the others go on."""
    for step in steps:
        try:
            step(source, into)
        except (TypeError, ValueError, KeyError, AttributeError, OverflowError) as error:
            part = step.__name__.strip("_").replace("_", " ")
            into.note(f"The file's {part} has an unexpected form and was translated in part only ({error}).")


def _take(key: str, value: object, paths: str, convert: Convert, into: Translation) -> None:
    try:
        converted = convert(value)
    except NoCounterpart as error:
        into.leave_out(key, value, str(error))
    except (ValueError, TypeError, OverflowError):
        into.leave_out(key, value, "its value is of another kind than there")
    else:
        for path in paths.split():
            into.put(path, converted)


def number(value: object) -> float:
    """A number, also one in quotes: YAML reads 1e-4 as text."""
    if isinstance(value, bool) or not isinstance(value, (int, float, str)):
        raise TypeError(value)
    return float(value)


def whole(value: object) -> int:
    amount = number(value)
    if not amount.is_integer():
        raise ValueError(value)
    return int(amount)


def positive(value: object) -> int:
    if (amount := whole(value)) < 1:
        raise NoCounterpart("0 means another setting there")
    return amount


def truth(value: object) -> bool:
    known = {"true": True, "false": False, "1": True, "0": False, "yes": True, "no": False}
    text = str(value).strip().lower()
    if text not in known:
        raise ValueError(value)
    return known[text]


def text(value: object) -> str:
    if not isinstance(value, str):
        raise TypeError(value)
    return value


def names(table: str) -> dict[str, str]:
    """A table written as `there=HERE` with spaces or line ends between its entries."""
    return dict(entry.split("=") for entry in table.split())


def choice(table: str) -> Convert:
    """A name there to a name here, whatever its case; a name without one here is reported. `names` tells the form."""
    known = {key.lower(): here for key, here in names(table).items()}

    def convert(value: object) -> str:
        found = known.get(str(value).strip().lower())
        if found is None:
            raise NoCounterpart("there is no such choice here, so the default is used")
        return found

    return convert


def resolution(value: object) -> str:
    """512, "512,512", [512, 768] and "512x768" as OneTrainer writes it: an area, or an exact width and height."""
    sides = value if isinstance(value, list) else str(value).replace("x", ",").split(",")
    sizes = [whole(side) for side in sides]
    if not sizes or min(sizes) < 8 or len(sizes) > 2:
        raise ValueError(value)
    return str(sizes[0]) if len(set(sizes)) == 1 else f"{sizes[0]}x{sizes[1]}"


def resolutions(value: object) -> str:
    """A list of areas, of which each picture takes one at random."""
    values = value if isinstance(value, list) else [value]
    return ",".join(str(positive(one)) for one in values)


PRECISIONS = choice(
    "fp16=FLOAT_16 float16=FLOAT_16 bf16=BFLOAT_16 bfloat16=BFLOAT_16 fp32=FLOAT_32 float32=FLOAT_32 float=FLOAT_32 "
    "no=FLOAT_32"
)


def shown(value: object) -> str:
    said = str(value)
    return said if len(said) <= LONGEST_SHOWN else f"{said[: LONGEST_SHOWN - 3]}..."
