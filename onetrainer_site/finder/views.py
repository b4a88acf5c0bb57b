"""What the finder finds, in groups, best known first."""

from __future__ import annotations

from collections.abc import Iterable
from contextlib import suppress
from dataclasses import dataclass
from typing import Any, TypeVar

from django.contrib.auth.models import User
from django.db.models import Model, QuerySet
from django.http import HttpResponse
from django.urls import reverse
from django.utils.translation import gettext as _

from onetrainer_site.finder.places import ACTIONS, PAGES, Place
from presets.editor.page import Editor
from presets.editor.search import search
from presets.models import Draft, Preset
from training.models import Run
from web.errors import BadInput
from web.pages import PageRequest, page, render_page
from web.permissions import may_train

MOST_OF_A_KIND = 6
MOST_LETTERS = 200
Row = TypeVar("Row", bound=Model)


@dataclass(frozen=True)
class Hit:
    """One place that was found; `note` is shown beside the title."""

    title: Any
    address: str
    icon: str
    note: Any = ""


@dataclass(frozen=True)
class Group:
    """The hits of one kind."""

    title: str
    hits: list[Hit]


@page("GET")
def find(request: PageRequest) -> HttpResponse:
    """Everything whose name has all words of `q`; without words, the pages, the actions and the newest runs."""
    text = request.GET.get("q", "").strip()[:MOST_LETTERS]
    groups = [group for group in found(request.user, text.casefold().split()) if group.hits]
    return render_page(request, "finder/finder.html", "finder/_found.html", {"text": text, "groups": groups})


def found(user: User, words: list[str]) -> Iterable[Group]:
    """The groups in the order in which they are shown; a group can be empty."""
    yield Group(_("Pages"), _places(PAGES, user, words))
    yield Group(_("Actions"), _places(ACTIONS, user, words))
    runs = _named(Run.objects.order_by("-created_at"), words)
    yield Group(
        _("Runs"), [Hit(run.name, run.get_absolute_url(), "list-details", run.get_status_display()) for run in runs]
    )
    if words:
        presets = _named(Preset.objects.listed(), words)
        yield Group(_("Presets"), [Hit(one.name, reverse("preset", args=[one.pk]), "adjustments") for one in presets])
        yield Group(_("Settings of a new run"), _settings(user, words) if may_train(user) else [])


def _places(places: Iterable[Place], user: User, words: list[str]) -> list[Hit]:
    return [
        Hit(place.title, place.address, place.icon) for place in places if place.seen_by(user) and place.matches(words)
    ][: None if words else MOST_OF_A_KIND]


def _run(run: Run) -> Hit:
    return Hit(run.name, run.get_absolute_url(), "list-details", run.get_status_display())


def _named(rows: QuerySet[Row], words: list[str]) -> list[Row]:
    for word in words:
        rows = rows.filter(name__icontains=word)
    return list(rows[:MOST_OF_A_KIND])


def _settings(user: User, words: list[str]) -> list[Hit]:
    """The fields of the editor of a new run; none while the draft's engine cannot be used, as the editor says."""
    draft = Draft.objects.filter(user=user, preset=None).first() or Draft(user=user)
    hits: list[Hit] = []
    with suppress(BadInput):
        for match in search(Editor(draft), " ".join(words))[:MOST_OF_A_KIND]:
            address = f"{reverse('new-run')}?tab={match.tab}#{match.anchor}"
            hits.append(Hit(match.spec.title, address, "adjustments-horizontal", match.tab_title))
    return hits
