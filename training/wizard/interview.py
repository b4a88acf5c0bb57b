"""The wizard's five questions: the typed answers are validated question by question."""

from __future__ import annotations

import hashlib
import math
from collections.abc import Mapping
from dataclasses import dataclass, replace
from functools import cached_property
from pathlib import Path

from django.conf import settings
from django.utils.translation import gettext as _

from training.wizard.base_models import BaseModel, chosen_model
from training.wizard.families import Device
from training.wizard.machine_facts import devices, measured_seconds
from training.wizard.picture_facts import look_at
from training.wizard.recipe import slug
from training.wizard.training_plan import KINDS, Answers, Pictures, refuse_too_large
from training.wizard.words import CLASS_WORDS
from web.errors import BadInput

OTHER = "other"
LONGEST_WORD = 60
LONGEST_CAPTION = 400
MINUTES = {"quick": None, "hour": 60.0, "night": 480.0}
MOST_GB, MOST_MINUTES = 1000, 60 * 24 * 30
PLAIN_NAMES = {"dataset", "datasets", "data", "images", "img", "photos", "pictures", "pics", "train", "training"}


@dataclass(frozen=True)
class Step:
    """One question: its address and its form fields; the interview has a property of the same name as the slug."""

    slug: str
    title: str
    short: str
    icon: str
    fields: tuple[str, ...]


STEPS = (
    Step("pictures", "What pictures do you have?", "Pictures", "photo", ("folder", "subfolders")),
    Step("subject", "What is in the pictures?", "Subject", "user", ("kind", "word", "class_word", "caption")),
    Step("model", "Which base model do you want to train?", "Base model", "box", ("model", "other_model")),
    Step("memory", "Which device do you want to train on?", "Device", "cpu", ("device", "gigabytes")),
    Step("time", "How long may it take?", "Time", "clock", ("time", "minutes")),
)
NUMBERS = {step.slug: number for number, step in enumerate(STEPS)}


class Interview:
    """The answers typed so far; an invalid answer raises BadInput with its field and the fix."""

    def __init__(self, typed: Mapping[str, str]) -> None:
        self.typed = dict(typed)

    def answer(self, step: Step) -> object:
        if step.slug == "subject":
            return self.subject, self.class_word, self.caption
        return getattr(self, step.slug)

    def first_open(self) -> Step | None:
        """The first question without a valid answer."""
        return next((step for step in STEPS if not self._is_answered(step)), None)

    def _is_answered(self, step: Step) -> bool:
        try:
            self.answer(step)
        except BadInput:
            return False
        return True

    @cached_property
    def pictures(self) -> Pictures:
        return look_at(self._text("folder"), self._text("subfolders") == "on")

    @cached_property
    def subject(self) -> tuple[str, str]:
        kind, word = self._text("kind"), " ".join(self._text("word").split())
        if kind not in KINDS:
            raise _bad("kind", _("Choose what the pictures show."))
        if not word or not word.isprintable() or len(word) > LONGEST_WORD:
            raise _bad(
                "word",
                _("Enter a trigger word of at most %(longest_word)s characters, such as r3x or my cat.")
                % {"longest_word": LONGEST_WORD},
            )
        return kind, word

    @cached_property
    def class_word(self) -> str:
        """What the base model calls the subject, such as dog; the kind's usual word if nothing is typed."""
        word = " ".join(self._text("class_word").split()) or CLASS_WORDS[self.subject[0]]
        if (word and not word.isprintable()) or len(word) > LONGEST_WORD:
            raise _bad("class_word", _("Enter what the pictures show in a word or two, such as dog."))
        return word

    @cached_property
    def caption(self) -> str:
        """The caption that the user wrote for pictures without one; empty for the caption that the wizard offers."""
        text = " ".join(self._text("caption").split())
        if (text and not text.isprintable()) or len(text) > LONGEST_CAPTION:
            sentence = _("Write a caption of at most %(longest)s characters, without special characters.")
            raise _bad("caption", sentence % {"longest": LONGEST_CAPTION})
        return text

    @cached_property
    def model(self) -> BaseModel:
        name = self._text("model")
        if name != OTHER:
            return chosen_model(name)
        try:
            return chosen_model(self._text("other_model"))
        except BadInput as problem:
            raise BadInput(str(problem), {"other_model": [str(problem)]}) from problem

    @cached_property
    def memory(self) -> Device:
        device = self._device()
        refuse_too_large(self._answers(device, None))
        return device

    @cached_property
    def time(self) -> float | None:
        chosen = self._text("time")
        if chosen != OTHER:
            if chosen not in MINUTES:
                raise _bad("time", _("Choose how long it may take."))
            return MINUTES[chosen]
        return _number(self._text("minutes"), MOST_MINUTES, "minutes", _("Enter the minutes as a number, such as 90."))

    def answers(self) -> Answers:
        """All five answers, with the speeds measured in earlier runs."""
        return self._answers(self.memory, self.time)

    def answers_in(self, time: str) -> Answers:
        """The answers with one of the offered times."""
        return self._answers(self.memory, MINUTES[time])

    def guessed_word(self) -> str:
        """The folder's name, or its parent's name if the folder has a common name such as "pictures"."""
        folder = Path(self.pictures.folder)
        name = folder.parent.name if folder.name.lower() in PLAIN_NAMES else folder.name
        return name.replace("_", " ")[:LONGEST_WORD]

    def _device(self) -> Device:
        key = self._text("device")
        if key == OTHER:
            sentence = _("Enter the GPU's memory in GB as a number, such as 8.")
            return Device("cuda", _number(self._text("gigabytes"), MOST_GB, "gigabytes", sentence))
        device = next((offered for offered in offered_devices() if device_key(offered) == key), None)
        if device is None:
            raise _bad("device", _("Choose a device to train on."))
        return device

    def _answers(self, device: Device, minutes: float | None) -> Answers:
        kind, word = self.subject
        class_word, caption = self.class_word, self.caption
        answers = Answers(
            pictures=self.pictures,
            kind=kind,
            word=word,
            family=self.model.family,
            base_model=self.model.name,
            device=device,
            minutes=minutes,
            engine=self.model.engine,
            class_word=class_word,
            caption=caption,
        )
        answers = replace(answers, caption_file=str(_caption_file(word, answers.shared_caption)))
        return replace(answers, measured=measured_seconds(device, answers.family, answers.engine))

    def _text(self, field: str) -> str:
        return self.typed.get(field, "").strip()


def offered_devices() -> list[Device]:
    """The machine's devices, always with the CPU."""
    own = devices()
    if any(not device.is_gpu for device in own):
        return own
    return [*own, Device("cpu", 0.0, "CPU")]


def device_key(device: Device) -> str:
    """The value that stands for this device in a form."""
    return f"{device.kind} {device.memory:g} {device.name}"


def _caption_file(word: str, caption: str) -> Path:
    """Path of the caption that all pictures share: in the data sets' folder, but hidden from their list."""
    mark = hashlib.sha256(caption.encode()).hexdigest()[:8]
    return settings.DATA_DIR / "datasets" / ".captions" / f"{slug(word)}-{mark}.txt"


def _number(text: str, most: float, field: str, sentence: str) -> float:
    try:
        number = float(text.replace(",", "."))
    except ValueError:
        raise _bad(field, sentence) from None
    if not math.isfinite(number) or not 0 < number <= most:
        raise _bad(field, _("Enter a number above 0 and at most %(most)s.") % {"most": f"{most:g}"})
    return number


def _bad(field: str, sentence: str) -> BadInput:
    return BadInput(sentence, {field: [sentence]})
