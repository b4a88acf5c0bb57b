"""Every view that changes something leaves a row, or is in the one table of exemptions, with its reason."""

import pytest
from django.test import Client
from django.urls import get_resolver

from system.audit.exempt import EXEMPT
from system.audit.models import AuditEntry
from tests.api import admin
from tests.making import make_user
from tests.site.api_calls import CALLS
from tests.site.api_world import call, make_world
from tests.site.test_doors import PAGES, patterns, visit

pytestmark = pytest.mark.django_db
CHANGES = sorted(name for name, (method, *_) in CALLS.items() if method != "get")


def names_of_addresses():
    for route, pattern in patterns(get_resolver()):
        prefix = "api:" if route.startswith("api/") else ""
        callback = pattern.callback
        yield f"{prefix}{pattern.name}" if pattern.name else f"{callback.__module__}.{callback.__qualname__}"


def is_exempt(response):
    match = getattr(response, "resolver_match", None)
    return match is not None and match.view_name in EXEMPT


def test_each_exemption_is_an_address_with_a_reason():
    assert EXEMPT.keys() - set(names_of_addresses()) == set()
    assert all(reason.endswith(".") for reason in EXEMPT.values())


def test_every_page_that_takes_a_form_leaves_a_row():
    client = Client()
    client.force_login(make_user("boss", is_staff=True, is_superuser=True))
    silent = []
    for route in sorted(PAGES):
        before = AuditEntry.objects.count()
        response = visit(client, route, "POST")
        if response.status_code < 400 and AuditEntry.objects.count() == before and not is_exempt(response):
            silent.append(route)
        client.force_login(make_user(f"boss of {route}"[:150], is_staff=True, is_superuser=True))  # one may sign out
    assert silent == []


@pytest.fixture
def api(settings):
    settings.API_RATES = {"read": "", "write": ""}
    settings.ALLOWED_ROOTS = []
    client = admin()
    make_world(client.user)
    return client


@pytest.mark.parametrize("operation", CHANGES)
def test_every_call_that_changes_something_leaves_a_row(api, operation):
    before = AuditEntry.objects.count()
    response = call(api, operation)
    assert response.status_code < 400 or response.status_code == 409, response.content
    if response.status_code < 400 and not is_exempt(response):
        assert AuditEntry.objects.count() > before
