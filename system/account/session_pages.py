"""The page of the user's sessions: where they are signed in, each of which can be ended."""

from __future__ import annotations

from allauth.usersessions.internal.flows.sessions import end_sessions
from allauth.usersessions.models import UserSession
from django.contrib import messages
from django.contrib.auth import SESSION_KEY
from django.contrib.sessions.models import Session
from django.http import HttpResponse
from django.shortcuts import redirect, render
from django.utils.timezone import now
from django.utils.translation import gettext as _
from django.views.decorators.cache import never_cache

from web.pages import PageRequest, page


@page("GET", "POST")
@never_cache
def sessions_page(request: PageRequest) -> HttpResponse:
    """List the sessions; POST ends the named session, or all others."""
    if request.method == "POST":
        return _end(request)
    UserSession.objects.create_from_request(request)  # a session of before this list existed is listed from now on
    sessions = sorted(UserSession.objects.purge_and_list(request.user), key=lambda one: one.last_seen_at, reverse=True)
    return render(request, "system/account/sessions.html", {"sessions": sessions})


def _end(request: PageRequest) -> HttpResponse:
    mine = UserSession.objects.filter(user=request.user)
    number = request.POST.get("session", "")
    chosen = mine.filter(pk=number) if number.isascii() and number.isdigit() and len(number) < 19 else mine.none()
    if "others" in request.POST:
        chosen = mine.exclude(session_key=request.session.session_key)
    ending = list(chosen)
    end_sessions(request, ending)
    if "others" in request.POST:
        _end_unlisted(request)
    if not request.user.is_authenticated:
        return redirect("sign-in")
    messages.success(request, _("%(count)s sessions were ended.") % {"count": len(ending)})
    return redirect("usersessions_list")


def _end_unlisted(request: PageRequest) -> None:
    """End sessions that are in no list, since they began before the site kept one."""
    others = Session.objects.filter(expire_date__gt=now()).exclude(pk=request.session.session_key)
    for session in others.iterator():
        if session.get_decoded().get(SESSION_KEY) == str(request.user.pk):
            session.delete()
