"""Permissions of every address: each is requested without a user, as a viewer and as a trainer."""

from __future__ import annotations

import re
from collections.abc import Iterator

import pytest
from django.contrib.auth.models import Group
from django.test import Client
from django.urls import NoReverseMatch, URLPattern, get_resolver, reverse

from tests.making import make_user
from web.permissions import TRAINERS

pytestmark = pytest.mark.django_db
PUBLIC = {
    "GET": """
        healthz jsi18n/ manifest.webmanifest service-worker.js away/ favicon.ico sign-in/ sign-in/<uidb64>/<token>/
        sign-out/ account/login/ account/logout/ account/link/ account/inactive/ account/signup/
        account/2fa/webauthn/login/
        account/2fa/authenticate/
        account/confirm-email/ account/confirm-email/<str:key>/ account/password/reset/ account/password/reset/done/
        account/password/reset/key/done/ account/password/reset/key/<base36:uidb36>-<str:key>/
    """,
    "POST": """
        favicon.ico sign-in/ sign-in/<uidb64>/<token>/ sign-out/ account/login/ account/logout/ account/link/
        account/inactive/ account/signup/ account/2fa/webauthn/login/ account/2fa/authenticate/
        account/confirm-email/ account/confirm-email/<str:key>/ account/password/reset/ account/password/reset/done/
        account/password/reset/key/done/ account/password/reset/key/<base36:uidb36>-<str:key>/
    """,
}
# Refused with 403 to people without a second factor.
WITH_SECOND_FACTOR = {"account/2fa/reauthenticate/", "account/2fa/webauthn/reauthenticate/"}
FOR_VIEWERS = {
    "GET": """
        datasets/ datasets/<int:pk>/ datasets/<int:pk>/history/ datasets/<int:pk>/trainer/
        datasets/<int:pk>/pictures/<int:picture>/
        find/ account/ account/tokens/ account/sessions/ account/email/ account/reauthenticate/
        account/password/change/ account/password/set/ account/2fa/ account/2fa/recovery-codes/
        account/2fa/recovery-codes/download/ account/2fa/recovery-codes/generate/ account/2fa/totp/activate/
        account/2fa/totp/deactivate/ account/2fa/webauthn/ account/2fa/webauthn/add/
        account/2fa/webauthn/keys/<int:pk>/edit/ account/2fa/webauthn/keys/<int:pk>/remove/
        preflights/<uuid:pk>/ presets/ presets/export/ presets/<int:pk>/ presets/<int:pk>/export/
        presets/<int:pk>/onetrainer/ presets/export.zip drafts/<int:pk>/revision/ drafts/<int:pk>/find/ compare/
        samples/ runs/<uuid:pk>/samples/ samples/compare/ samples/<uuid:pk>/ samples/<uuid:pk>/film/
        samples/<uuid:pk>/film/<slug:kind>/ system/ system/resources/ system/onetrainer/ system/disk/ queue/ models/
        now-training/ runs/ runs/export/ runs/<uuid:pk>/ runs/<uuid:pk>/metrics/ runs/<uuid:pk>/log/
        runs/<uuid:pk>/config/ runs/<uuid:pk>/config/file/ runs/<uuid:pk>/files/ runs/<uuid:pk>/timeline/
        runs/<uuid:pk>/log/file/ runs/<uuid:pk>/artifacts/<uuid:artifact_pk>/
    """,
    "POST": """
        account/ account/tokens/ account/tokens/<int:pk>/revoke/ account/secrets/ account/sessions/ account/email/
        account/reauthenticate/ account/password/change/ account/password/set/
        account/2fa/recovery-codes/download/ account/2fa/recovery-codes/generate/ account/2fa/totp/activate/
        account/2fa/totp/deactivate/ account/2fa/webauthn/add/
        account/2fa/webauthn/keys/<int:pk>/edit/ account/2fa/webauthn/keys/<int:pk>/remove/
        presets/<int:pk>/favourite/ samples/selection/
        runs/bulk/ runs/views/ runs/views/<int:pk>/delete/
    """,
}
FOR_TRAINERS = {
    "GET": """
        browse/ concepts/preview/ concepts/picture/ presets/new/ presets/<int:pk>/edit/ runs/import/
        queue/<uuid:pk>/plan/ runs/wizard/ runs/wizard/review/ runs/wizard/<slug:slug>/
        runs/new/ runs/new/start/<uuid:pk>/
        runs/<uuid:pk>/edit/
        runs/<uuid:pk>/delete/ system/cleanup/
    """,
    "POST": """
        browse/ datasets/ datasets/<int:pk>/<slug:verb>/ presets/new/ presets/import/
        presets/<int:pk>/edit/ presets/<int:pk>/archive/ presets/<int:pk>/revert/
        presets/<int:pk>/duplicate/ presets/<int:pk>/delete/ preflights/start/ drafts/<int:pk>/edit/
        drafts/<int:pk>/json/ samples/<uuid:pk>/favourite/ system/workers/<int:pk>/drain/ system/onetrainer/check/
        models/fetch/ models/fetches/<uuid:pk>/<slug:verb>/ models/delete/ models/token/
        system/cleanup/count/ system/cleanup/remove/ queue/<uuid:pk>/ queue/<uuid:pk>/plan/ runs/import/ runs/new/
        runs/new/start/<uuid:pk>/
        runs/wizard/dismiss/ runs/wizard/<slug:slug>/ runs/<uuid:pk>/edit/ runs/<uuid:pk>/delete/
        runs/<uuid:pk>/stop-following/ runs/<uuid:pk>/favourite/ runs/<uuid:pk>/keep-as-preset/ runs/<uuid:pk>/about/
        runs/<uuid:pk>/artifacts/<uuid:artifact_pk>/<slug:verb>/ runs/<uuid:pk>/<slug:verb>/
    """,
}
FOR_ADMINS = {
    "GET": "system/audit/ system/doctor/ system/doctor/report.txt",
    "POST": "system/doctor/examine/ system/cleanup/policy/ system/folders/ system/folders/<int:pk>/remove/",
}
# Own tokens and saved views, and checks, which change no data.
API_FOR_VIEWERS = {
    *("me-token", "me-tokens", "me-one-token", "auth-token", "auth-refresh", "auth-revoke", "ws-ticket"),
    *("me-secrets", "view-list", "view-detail", "config-validate"),
}
ID = "0d9a3a52-6c7e-4b4f-8a55-1f0e2b6c9d22"
PARAMETERS = {"uuid": ID, "int": "7", "slug": "thing", "str": "thing", "base36": "1"}


def listed(*tables: dict[str, str]) -> dict[str, set[str]]:
    """The routes of several tables by method; the dashboard has the empty route."""
    return {method: {route for table in tables for route in table[method].split()} for method in ("GET", "POST")}


def patterns(resolver, route="") -> Iterator[tuple[str, URLPattern]]:
    for pattern in resolver.url_patterns:
        here = route + str(pattern.pattern)
        if isinstance(pattern, URLPattern):
            yield here, pattern
        else:
            yield from patterns(pattern, here)


PAGES = {route for route, _ in patterns(get_resolver()) if not route.startswith(("api/", "admin/"))}
API = [
    pattern
    for route, pattern in patterns(get_resolver())
    if route.startswith("api/") and pattern.name not in (None, "root")
]


def visit(client: Client, route: str, method: str):
    address = "/" + re.sub(r"<(?:(\w+):)?\w+>", lambda found: PARAMETERS[found[1] or "str"], route)
    return client.generic(method, address)


def client_of(user) -> Client:
    client = Client()
    client.force_login(user)
    return client


@pytest.fixture(autouse=True)
def with_mail(settings):
    """Some pages exist only where mail is set."""
    settings.HAS_MAIL = True


@pytest.fixture
def viewer():
    return make_user("vera", password="correct horse battery")


@pytest.fixture
def trainer():
    user = make_user("theo", password="correct horse battery")
    user.groups.add(Group.objects.get_or_create(name=TRAINERS)[0])
    return user


def test_every_page_is_listed_with_its_users():
    tables = listed(PUBLIC, FOR_VIEWERS, FOR_TRAINERS, FOR_ADMINS)
    assert tables["GET"] | tables["POST"] | WITH_SECOND_FACTOR == PAGES - {""}


@pytest.mark.parametrize("method", ("GET", "POST"))
def test_all_but_the_public_pages_redirect_anonymous_users_to_sign_in(method):
    def leads_to_sign_in(route):
        response = visit(Client(), route, method)
        return response.status_code == 302 and response.url.startswith(f"{reverse('sign-in')}?next=/")

    open_pages = {route for route in PAGES if not leads_to_sign_in(route)}
    assert open_pages == listed(PUBLIC)["GET"] | listed(PUBLIC)["POST"]


@pytest.mark.parametrize("method", ("GET", "POST"))
def test_a_viewer_may_use_the_pages_for_viewers_and_no_other_page(viewer, method):
    client, pages = client_of(viewer), PAGES - listed(PUBLIC)["GET"] - listed(PUBLIC)["POST"] - WITH_SECOND_FACTOR
    statuses = {route: visit(client, route, method).status_code for route in pages}
    answered = {route for route, status in statuses.items() if status not in (403, 405)}
    assert answered - {""} == listed(FOR_VIEWERS)[method]
    refused = {route for route, status in statuses.items() if status == 403}
    assert refused == listed(FOR_TRAINERS, FOR_ADMINS)[method]


@pytest.mark.parametrize("method", ("GET", "POST"))
def test_a_trainer_may_use_all_pages_but_those_for_admins(trainer, method):
    client, pages = client_of(trainer), PAGES - listed(PUBLIC)["GET"] - listed(PUBLIC)["POST"] - WITH_SECOND_FACTOR
    statuses = {route: visit(client, route, method).status_code for route in pages}
    answered = {route for route, status in statuses.items() if status not in (403, 405)}
    assert answered - {""} == listed(FOR_VIEWERS, FOR_TRAINERS)[method]
    refused = {route for route, status in statuses.items() if status == 403}
    assert refused == listed(FOR_ADMINS)[method]


@pytest.mark.parametrize("route", sorted(listed(PUBLIC)["GET"]))
def test_a_public_page_never_asks_for_sign_in(route):
    response = visit(Client(), route, "GET")
    assert response.status_code in (200, 302)
    assert "?next=" not in response.headers.get("Location", "")


def test_an_open_page_does_not_load_the_user(viewer, django_assert_num_queries):
    client = client_of(viewer)
    with django_assert_num_queries(0):
        assert client.get("/manifest.webmanifest").status_code == 200


def test_the_admin_asks_for_its_own_sign_in():
    assert Client().get("/admin/").url == "/admin/login/?next=/admin/"
    assert Client().get("/admin/training/run/").url == "/admin/login/?next=/admin/training/run/"
    assert Client().get("/admin/login/").status_code == 200


def api_address(pattern: URLPattern) -> str:
    names = pattern.pattern.regex.groupindex
    for value in (ID, "7"):
        try:
            return reverse(f"api:{pattern.name}", kwargs=dict.fromkeys(names, value))
        except NoReverseMatch:
            continue
    raise AssertionError(f"no address fits {pattern}")


@pytest.mark.parametrize("headers", ({}, {"Authorization": "Token wrong"}))
def test_every_address_of_the_api_answers_anonymous_users_with_401_in_json(headers):
    for pattern in API:
        response = Client(headers=headers).get(api_address(pattern))
        assert (response.status_code, list(response.json())) == (401, ["detail"]), pattern


def test_an_unknown_address_of_the_api_is_a_404_in_json_for_anonymous_users():
    response = Client().get("/api/nothing/here")
    assert response.status_code == 404
    assert response.json()["detail"].startswith("There is nothing at this address")


def test_by_the_api_a_viewer_changes_only_own_rows(viewer):
    client = client_of(viewer)
    for pattern in API:
        if pattern.name not in API_FOR_VIEWERS:
            for method in ("POST", "PUT", "PATCH", "DELETE"):
                assert visit_api(client, method, pattern) in (403, 405), (method, pattern)


def visit_api(client: Client, method: str, pattern: URLPattern) -> int:
    return client.generic(method, api_address(pattern), "{}", "application/json").status_code
