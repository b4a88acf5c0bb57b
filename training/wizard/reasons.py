"""Why the recipe is as it is, in sentences for somebody who has never trained."""

from __future__ import annotations

from collections.abc import Iterator

from django.utils.translation import gettext as _

from training.wizard.training_plan import ENOUGH, Answers, TrainingPlan, best_at, sides, total_seconds, wanted_views
from training.wizard.words import caption_for, shown_minutes, shown_speed


def reasons(answers: Answers, plan: TrainingPlan) -> Iterator[str]:
    """One sentence for each choice, the most telling first."""
    yield from _length(answers, plan)
    yield (
        _(
            "A LoRA, a small file that is laid over the base model: it needs few pictures and "
            "little memory, and leaves the base model as it is."
        )
    )
    yield _("Rank %(rank)s, which is how much it can hold, since %(why_rank)s.") % {
        "rank": answers.what.rank,
        "why_rank": answers.what.why_rank,
    }
    yield _size(answers, plan)
    yield _memory(answers, plan)
    if not answers.pictures.has_captions:
        yield _captions(answers)
    if answers.trains_text:
        yield _("The text encoder learns too, at a lower rate, so that the words come to mean what the pictures show.")
    elif answers.family.text_rate is not None:
        yield _("The text encoder stays as it is, since a style is in the drawing and not in a word.")
    if answers.what.flips:
        yield _("Half of the pictures are mirrored by chance, which makes more of them.")
    yield _("Of the backups the newest two are kept, so that a power cut costs little time and no disk fills up.")


def _length(answers: Answers, plan: TrainingPlan) -> Iterator[str]:
    wanted, pictures = wanted_views(answers), answers.pictures
    figure = "as measured in earlier runs" if plan.resolution in answers.measured else "a rough figure"
    times = max(1, round(plan.views / pictures.count))
    yield (
        _(
            "%(steps)s steps, in some %(shown_minutes)s, since each of %(count)s pictures is to "
            "be seen %(times)s times, at %(shown_speed)s (%(figure)s)."
        )
        % {
            "steps": f"{plan.steps:,}",
            "shown_minutes": shown_minutes(total_seconds(answers, plan) / 60),
            "count": pictures.count,
            "times": times,
            "shown_speed": shown_speed(plan.picture_seconds),
            "figure": figure,
        }
    )
    if answers.minutes is None:
        yield _("That is for a first look: allow more time for a better likeness.")
    elif plan.views < ENOUGH * wanted:
        share = round(100 * plan.views / wanted)
        yield _("That is %(share)s %% of what would be good, as the time allows no more: expect a rough likeness.") % {
            "share": share
        }


def _size(answers: Answers, plan: TrainingPlan) -> str:
    native, largest = answers.family.native, sides(answers)[0]
    if plan.resolution >= native:
        return _("%(resolution)s pixels, since the base model was made at that size.") % {"resolution": plan.resolution}
    if plan.resolution == largest:
        return _("%(resolution)s pixels and not %(native)s, since the pictures are no larger.") % {
            "resolution": plan.resolution,
            "native": native,
        }
    fits_larger = any(best_at(answers, side).fits for side in sides(answers) if side > plan.resolution)
    return _("%(resolution)s pixels and not %(native)s, since more does not fit the %(fits_larger)s.") % {
        "resolution": plan.resolution,
        "native": native,
        "fits_larger": "time" if fits_larger else "memory",
    }


def _memory(answers: Answers, plan: TrainingPlan) -> str:
    together = f", with {plan.accumulation} such steps added up" if plan.accumulation > 1 else ""
    what = f"{plan.batch} picture{'s' * (plan.batch > 1)} at a time{together}"
    if not answers.device.is_gpu:
        return _("%(what)s, in 32 bits, since the processor trains; a GPU is some hundred times as fast.") % {
            "what": what
        }
    twice = ", computing some things twice to save memory" if plan.checkpointing else ""
    room = f" of {answers.device.memory:.0f}" if answers.device.memory else ""
    return _("%(what)s%(twice)s, since that takes some %(memory)s%(room)s GB.") % {
        "what": what,
        "twice": twice,
        "memory": f"{plan.memory:.1f}",
        "room": room,
    }


def _captions(answers: Answers) -> str:
    pictures, caption = answers.pictures, caption_for(answers.kind, answers.word)
    lack = f"{pictures.count - pictures.captioned} of them have" if pictures.captioned else "they have"
    return _(
        "All pictures share the caption “%(caption)s”, since %(lack)s none of their own: use these words in prompts."
    ) % {"caption": caption, "lack": lack}
