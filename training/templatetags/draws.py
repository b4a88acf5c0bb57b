"""The choices of the form for custom samples, and the labels of commands."""

from __future__ import annotations

from typing import Any

from django import template
from django.core.exceptions import ValidationError

from engine.builtin.config.enums import NoiseScheduler
from training.models import Run, RunCommand
from training.runs import own_samples as draws
from training.runs.actions import label_of
from web.pages import Context

register = template.Library()


@register.simple_tag(takes_context=True)
def draw_choices(context: Context, run: Run) -> Context:
    """Shapes, samplers, the user's last requests, and the initial values: the request or sample in the address."""
    request = context["request"]
    recent = draws.recent(request.user)
    again, like = request.GET.get("again", ""), request.GET.get("like", "")
    chosen = recent[int(again)] if again.isdecimal() and int(again[:3]) < len(recent) else {}
    return {
        "aspects": draws.aspects(run),
        "samplers": list(NoiseScheduler),
        "recent": recent,
        "begin": _settings_like(run, like) if like else chosen,
        "most": draws.MOST_AT_ONCE,
    }


def _settings_like(run: Run, pk: str) -> Context:
    """The settings of the run's sample with this id."""
    try:
        sample = run.samples.filter(pk=pk).first()
    except ValidationError:
        return {}
    return as_draw(sample) if sample else {}


@register.filter
def as_draw(sample: Any) -> Context:
    """A sample's settings for the form."""
    return draws.kept_of({"prompt": sample.prompt, **sample.settings})


@register.filter
def button_of(command: RunCommand) -> str:
    """The label of the command's button."""
    return label_of(command.kind)


@register.simple_tag
def draw_outcomes(run: Run) -> Any:
    return draws.outcomes(run)
