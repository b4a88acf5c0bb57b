"""Reasons for the recipe's choices, in sentences for a beginner."""

from __future__ import annotations

from collections.abc import Iterator

from django.utils.translation import gettext as _

from training.wizard.training_plan import ENOUGH, Answers, TrainingPlan, best_at, sides, total_seconds, wanted_views
from training.wizard.words import shown_minutes, shown_speed


def reasons(answers: Answers, plan: TrainingPlan) -> Iterator[str]:
    """One sentence for each choice, the most important first."""
    yield from _length(answers, plan)
    yield (
        _(
            "A LoRA, a small file that is used on top of the base model: it needs few pictures and "
            "little memory, and does not change the base model."
        )
    )
    yield _("Rank %(rank)s (the capacity of the LoRA), because %(why_rank)s.") % {
        "rank": answers.what.rank,
        "why_rank": answers.what.why_rank,
    }
    yield _size(answers, plan)
    yield _memory(answers, plan)
    if not answers.pictures.has_captions:
        yield _captions(answers)
    if answers.trains_text:
        yield _("The text encoder is trained too, at a lower rate, so that it learns the trigger word.")
    elif answers.family.text_rate is not None:
        yield _("The text encoder is not trained, because a style needs no new word.")
    if answers.what.flips:
        yield _("Pictures are randomly mirrored to add variety.")
    yield _("The two newest backups are kept.")


def _length(answers: Answers, plan: TrainingPlan) -> Iterator[str]:
    wanted, pictures = wanted_views(answers), answers.pictures
    figure = "measured in earlier runs" if plan.resolution in answers.measured else "estimated"
    times = max(1, round(plan.views / pictures.count))
    yield (
        _(
            "%(steps)s steps, about %(shown_minutes)s at %(shown_speed)s (%(figure)s): each of your %(count)s "
            "pictures is used %(times)s times."
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
        yield _("That is enough for a first test: allow more time for a better likeness.")
    elif plan.views < ENOUGH * wanted:
        share = round(100 * plan.views / wanted)
        yield _("The time allows only %(share)s %% of a good number of steps: expect a rough likeness.") % {
            "share": share
        }


def _size(answers: Answers, plan: TrainingPlan) -> str:
    native, largest = answers.family.native, sides(answers)[0]
    if plan.resolution >= native:
        return _("%(resolution)s pixels, the native size of the base model.") % {"resolution": plan.resolution}
    if plan.resolution == largest:
        return _("%(resolution)s pixels instead of %(native)s, because the pictures are not larger.") % {
            "resolution": plan.resolution,
            "native": native,
        }
    fits_larger = any(best_at(answers, side).fits for side in sides(answers) if side > plan.resolution)
    return _("%(resolution)s pixels instead of %(native)s, because more does not fit the %(limit)s.") % {
        "resolution": plan.resolution,
        "native": native,
        "limit": "time" if fits_larger else "memory",
    }


def _memory(answers: Answers, plan: TrainingPlan) -> str:
    accumulated = f", gradients accumulated over {plan.accumulation} steps" if plan.accumulation > 1 else ""
    batch = f"Batch size {plan.batch}{accumulated}"
    if not answers.device.is_gpu:
        return _("%(batch)s, 32-bit because there is no GPU (a GPU is about 100 times faster).") % {"batch": batch}
    checkpointing = ", with gradient checkpointing to save memory" if plan.checkpointing else ""
    limit = f" of {answers.device.memory:.0f}" if answers.device.memory else ""
    return _("%(batch)s%(checkpointing)s: this takes about %(memory)s%(limit)s GB.") % {
        "batch": batch,
        "checkpointing": checkpointing,
        "memory": f"{plan.memory:.1f}",
        "limit": limit,
    }


def _captions(answers: Answers) -> str:
    pictures, caption = answers.pictures, answers.shared_caption
    lack = f"{pictures.count - pictures.captioned} of them have" if pictures.captioned else "they have"
    return _(
        "All pictures share the caption “%(caption)s”, because %(lack)s no caption: use these words in prompts."
    ) % {"caption": caption, "lack": lack}
