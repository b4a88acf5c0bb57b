"""Actions on several samples at once."""

from __future__ import annotations

from collections.abc import Callable

from django.contrib import messages
from django.contrib.auth.models import User
from django.http import HttpResponseBase
from django.shortcuts import redirect, render
from django.urls import reverse
from django.utils.http import url_has_allowed_host_and_scheme
from django.utils.translation import gettext as _
from django.utils.translation import ngettext

from samples.archives import send_zip
from samples.filters import of_ids
from samples.models import Sample
from samples.service import SampleService
from web.errors import BadInput, NotFound, NotNow
from web.pages import PageRequest, page, trainers

Act = Callable[[PageRequest, list[Sample]], HttpResponseBase]


@page("POST")
def selection(request: PageRequest) -> HttpResponseBase:
    """Carry out a button of the bar on the selected samples."""
    act = ACTS.get(request.POST.get("do", ""))
    try:
        if act is None:
            raise BadInput(_("Choose an action for the samples."))
        samples = of_ids(request.POST.getlist("id"))
        if not samples:
            raise BadInput(_("Select samples first."))
        return act(request, samples)
    except (BadInput, NotFound, NotNow) as problem:
        messages.error(request, str(problem))
        return redirect(_back(request))


def _zip(request: PageRequest, samples: list[Sample]) -> HttpResponseBase:
    return send_zip(samples)


def _mark(favourite: bool) -> Act:
    def mark(request: PageRequest, samples: list[Sample]) -> HttpResponseBase:
        count = SampleService(_trainer(request)).mark(samples, favourite)
        said = ngettext("%(count)s sample was changed.", "%(count)s samples were changed.", count)
        messages.success(request, said % {"count": count})
        return redirect(_back(request))

    return mark


def _compare(request: PageRequest, samples: list[Sample]) -> HttpResponseBase:
    if len(samples) != 2:
        raise BadInput(_("Select two samples to compare them."))
    newer, older = samples
    return redirect(f"{reverse('samples-compare')}?a={older.pk}&b={newer.pk}")


def _delete(request: PageRequest, samples: list[Sample]) -> HttpResponseBase:
    """Show what would be deleted, then delete it."""
    user = _trainer(request)
    if request.POST.get("sure") != "1":
        context = {"samples": samples, "next": _back(request), "favourites": sum(one.favourite for one in samples)}
        return render(request, "samples/delete.html", context)
    count = SampleService(user).delete(samples)
    said = ngettext("%(count)s sample was deleted.", "%(count)s samples were deleted.", count)
    messages.success(request, said % {"count": count})
    return redirect(_back(request))


def _trainer(request: PageRequest) -> User:
    trainers(request.user)
    return request.user


def _back(request: PageRequest) -> str:
    """The page with the bar."""
    address = request.POST.get("next", "")
    safe = url_has_allowed_host_and_scheme(address, {request.get_host()}, request.is_secure())
    return address if safe else "samples"


ACTS: dict[str, Act] = {
    "zip": _zip,
    "compare": _compare,
    "favourite": _mark(True),
    "unfavourite": _mark(False),
    "delete": _delete,
}
