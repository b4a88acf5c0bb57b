"""The pages of data sets: the list, one with its pictures, its history, and the forms that work without scripts."""

from __future__ import annotations

from collections.abc import Callable
from typing import cast

from django.contrib import messages
from django.db.models import Q
from django.http import Http404, HttpResponse, HttpResponseBase
from django.shortcuts import redirect, render
from django.utils.cache import get_conditional_response
from django.utils.translation import gettext as _
from django.utils.translation import ngettext

from engine.paths.policy import Purpose
from presets.datasets import uploads, verbs, versions
from presets.datasets.api import find
from presets.datasets.caption_edits import ACTIONS
from presets.datasets.files import path_of
from presets.datasets.jobs import Action, ask, jobs_of
from presets.datasets.listing import ORDERS, SHAPES, SHOWS, Choice, pictures, with_counts
from presets.datasets.rescan import adopt_folders, look
from presets.datasets.serializers import changed_facts
from presets.datasets.space import limits
from presets.folders import thumbnails
from presets.models import DataSet, DataSetUpload
from web.errors import BadInput, DomainError, NotFound
from web.limits.bodies import takes_body
from web.pages import Context, PageRequest, errors_as_messages, page, page_of, trainers

ON_A_PAGE = 60
LOOKED_AT = 2_000  # pictures up to which a page itself looks for changes in the folder
MOST_THUMBNAILS = 60_000
VERSIONS_SHOWN = 50
MOST_DIGITS = 9


@page("GET", "POST")
def data_sets(request: PageRequest) -> HttpResponse:
    """All data sets; POST makes one."""
    if request.method == "POST":
        return _create(request)
    adopt_folders()
    rows = with_counts(DataSet.objects.present().select_related("owner"))
    for word in request.GET.get("q", "").replace("\x00", "").split():
        rows = rows.filter(Q(name__icontains=word) | Q(tags__icontains=word) | Q(notes__icontains=word))
    listed = list(rows)
    context: Context = {
        "sets": [(row, row.pictures.filter(excluded=False)[:4]) for row in listed],
        "deleted": DataSet.objects.exclude(deleted_at=None).order_by("-deleted_at"),
        "query": request.GET,
    }
    return render(request, "presets/datasets/data_sets.html", context)


def _create(request: PageRequest) -> HttpResponse:
    trainers(request.user)
    try:
        path = request.POST.get("path", "").strip()
        data_set = verbs.create(request.POST.get("name", ""), request.user, path=path)
        if path and look(data_set):
            ask(data_set, Action.RESCAN, request.user)
    except DomainError as error:
        messages.error(request, str(error))
        return redirect("data-sets")
    return redirect("data-set", data_set.pk)


@page("GET")
def data_set(request: PageRequest, pk: int) -> HttpResponse:
    """One data set: its pictures in a grid, and what can be done with them."""
    shown = find(pk)
    pending = _look(request, shown)
    choice = _choice(request)
    try:
        rows = pictures(shown, choice)
    except BadInput as error:
        raise Http404(str(error)) from error
    counted = with_counts(DataSet.objects.select_related("owner")).get(pk=pk)
    context: Context = {
        "set": counted,
        "choice": choice,
        "page": page_of(request, rows, ON_A_PAGE),
        "total": rows.count(),
        "filtered": choice != Choice(order=choice.order),
        "orders": ORDERS.items(),
        "shows": SHOWS.items(),
        "shapes": SHAPES.items(),
        "pending": pending,
        "jobs": [job for job in jobs_of(shown)[:5] if job.is_open],
        "unfinished": shown.uploads.filter(status=DataSetUpload.Status.RECEIVING).count(),
        "limits": limits(),
        "caption_actions": ACTIONS.items(),
        "undo_label": _label(shown, shown.undoable),
        "redo_label": _label(shown, shown.redoable),
    }
    return render(request, "presets/datasets/data_set.html", context)


def _look(request: PageRequest, shown: DataSet) -> int:
    """Take in changes in the folder if that is quick; the number of those that a worker has to read."""
    if shown.pictures.count() > LOOKED_AT:
        return 0  # the page's script asks for it
    with errors_as_messages(request):
        pending = look(shown)
        if pending:
            ask(shown, Action.RESCAN, request.user)
        return pending
    return 0


def _choice(request: PageRequest) -> Choice:
    query = request.GET
    smaller = query.get("smaller_than", "")
    return Choice(
        words=query.get("q", "")[:500].replace("\x00", ""),
        tag=query.get("tag", "")[:500].replace("\x00", ""),
        show=query.get("show", ""),
        shape=query.get("shape", ""),
        smaller_than=int(smaller) if smaller.isascii() and smaller.isdecimal() and len(smaller) <= MOST_DIGITS else 0,
        order=query.get("order") or "name",
    )


def _label(shown: DataSet, numbers: list[int]) -> str:
    version = shown.versions.filter(number=numbers[-1]).first() if numbers else None
    return version.label if version else ""


@takes_body("UPLOAD_BODY_BYTES")
@page("POST", only=trainers)
def data_set_verb(request: PageRequest, pk: int, verb: str) -> HttpResponse:
    """Change a data set by one of its verbs, and return to its page."""
    if verb not in VERBS:
        raise Http404(_("There is no such action."))
    shown = find(pk, deleted=verb in ("restore", "remove-for-ever"))
    with errors_as_messages(request):
        VERBS[verb](request, shown)
    gone = verb == "remove-for-ever" or DataSet.objects.present().filter(pk=pk).first() is None
    return redirect("data-sets") if gone else redirect("data-set", pk)


def _undo(request: PageRequest, shown: DataSet) -> None:
    messages.success(request, versions.undo(shown, request.user).label)


def _redo(request: PageRequest, shown: DataSet) -> None:
    messages.success(request, versions.redo(shown, request.user).label)


def _change(request: PageRequest, shown: DataSet) -> None:
    facts = {name: request.POST[name] for name in ("name", "notes", "tags") if name in request.POST}
    verbs.change(shown, facts, request.user)


def _delete(request: PageRequest, shown: DataSet) -> None:
    verbs.delete(shown)
    messages.success(request, _("“%(name)s” was deleted; it can be restored below.") % {"name": shown.name})


def _restore(request: PageRequest, shown: DataSet) -> None:
    verbs.restore(shown)


def _remove_for_ever(request: PageRequest, shown: DataSet) -> None:
    verbs.delete_for_ever(shown)
    messages.success(request, _("“%(name)s” was removed for ever.") % {"name": shown.name})


def _upload(request: PageRequest, shown: DataSet) -> None:
    """Files that a form sent; with scripts, the page sends them in pieces instead."""
    files = request.FILES.getlist("file")
    if not files:
        raise BadInput(_("Choose at least one file."))
    done = 0
    for file in files:
        try:
            row = uploads.begin(shown, request.user, file.name or "", file.size or 0)
            uploads.append(row, 0, file)
            done += row.status == DataSetUpload.Status.DONE
            if row.status in (DataSetUpload.Status.REFUSED, DataSetUpload.Status.DUPLICATE):
                messages.warning(request, f"{row.filename}: {row.detail}")
        except DomainError as error:
            messages.error(request, str(error))
    if done:
        text = ngettext("%(count)s file was taken in.", "%(count)s files were taken in.", done)
        messages.success(request, text % {"count": done})


def _chosen(request: PageRequest) -> list[int]:
    chosen = [int(pk) for pk in request.POST.getlist("picture") if pk.isascii() and pk.isdecimal() and len(pk) <= 18]
    if not chosen:
        raise BadInput(_("Tick at least one picture."))
    return chosen


def _remove(request: PageRequest, shown: DataSet) -> None:
    verbs.remove(shown, _chosen(request), request.user)


def _exclude(request: PageRequest, shown: DataSet) -> None:
    verbs.exclude(shown, _chosen(request), True, request.user)


def _include(request: PageRequest, shown: DataSet) -> None:
    verbs.exclude(shown, _chosen(request), False, request.user)


VERBS: dict[str, Callable[[PageRequest, DataSet], None]] = {
    "undo": _undo,
    "redo": _redo,
    "change": _change,
    "delete": _delete,
    "restore": _restore,
    "remove-for-ever": _remove_for_ever,
    "upload": _upload,
    "remove": _remove,
    "exclude": _exclude,
    "include": _include,
}


@page("GET")
def history(request: PageRequest, pk: int) -> HttpResponse:
    """The versions of a data set, and what changed since one of them."""
    shown = find(pk)
    listed = shown.versions.select_related("user")
    since = request.GET.get("since", "")
    context: Context = {"set": shown, "page": page_of(request, listed, VERSIONS_SHOWN), "since": since}
    if since.isascii() and since.isdecimal() and len(since) <= MOST_DIGITS:
        until = request.GET.get("until", "")
        number = int(until) if until.isascii() and until.isdecimal() and len(until) <= MOST_DIGITS else None
        found = versions.difference(shown, int(since), number)
        context |= {"difference": found, "changed": changed_facts(found), "until": number}
    return render(request, "presets/datasets/history.html", context)


@page("GET")
def thumbnail(request: PageRequest, pk: int, picture: int) -> HttpResponseBase:
    """The small form of a picture, or the reason why there is none."""
    shown = find(pk)
    row = shown.pictures.filter(pk=picture).first()
    if row is None:
        raise NotFound(_("The data set has no picture with this id: it may have been removed."))
    try:
        kept = thumbnails.thumbnail(str(path_of(shown, row.name, row.excluded)), MOST_THUMBNAILS, Purpose.SEND)
        content = kept.read_bytes()
    except (DomainError, FileNotFoundError) as problem:
        status = 400 if isinstance(problem, BadInput) else 404
        return HttpResponse(str(problem), status=status, content_type="text/plain; charset=utf-8")
    etag = f'"{kept.stem}"'
    cached = "private, max-age=31536000, immutable" if request.GET.get("v") else "private, no-cache"
    answer = HttpResponse(content, content_type="image/webp", headers={"ETag": etag, "Cache-Control": cached})
    return cast(HttpResponse, get_conditional_response(request, etag=etag, response=answer))
