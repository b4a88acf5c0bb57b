"""The audit log is searched by admins: on its page, in the admin and by the API."""

import pytest
from django.test import Client

from system.audit import Thing, record
from system.audit.models import AuditEntry
from tests.making import make_user

pytestmark = pytest.mark.django_db
PAGE, API = "/system/audit/", "/api/audit"


@pytest.fixture
def admin(db):
    client = Client()
    client.force_login(make_user("boss", is_staff=True))
    return client


@pytest.fixture
def entries(db):
    record("run.deleted", actor="ada", thing=Thing("run", "7", "Stars"), before={"status": "finished"})
    record("preset.changed", actor="bob", thing=Thing("preset", "8", "Moons"), after={"name": "Über"})


def found(client, query):
    return {row["action"] for row in client.get(f"{API}?page_size=100&{query}").json()["results"]}


@pytest.mark.parametrize(
    ("query", "actions"),
    [
        ("person=ad", {"run.deleted"}),
        ("action=run.", {"run.deleted"}),
        ("thing=preset", {"preset.changed"}),
        ("thing=star", {"run.deleted"}),
        ("thing=8", {"preset.changed"}),
        ("text=finish", {"run.deleted"}),
        ("text=Über", {"preset.changed"}),
        ("action=run&since=2000-01-01&until=9999-12-31", {"run.deleted"}),
        ("since=2999-01-01T10:00", set()),
        ("until=2000-01-01", set()),
        ("person=%00ada", {"run.deleted"}),
        ("person=nobody", set()),
    ],
)
def test_the_api_finds_entries_by_each_filter(admin, entries, query, actions):
    assert found(admin, query) == actions
    answer = admin.get(f"{PAGE}?{query}")
    assert {entry.action for entry in answer.context["page"]} == actions


@pytest.mark.parametrize(
    "query", ["since=yesterday", "until=2026-13-40", "since=0001-01-01T00:00:00%2B14:00", "until=x" * 90]
)
def test_a_wrong_day_is_refused_in_a_sentence(admin, query):
    assert "Write a day as" in admin.get(f"{API}?{query}").json()["detail"]
    assert admin.get(f"{PAGE}?{query}").status_code == 400


def test_the_page_says_whether_the_chain_is_whole(admin, entries, settings, tmp_path):
    settings.DATA_DIR = tmp_path
    assert (
        f"The chain is whole: {AuditEntry.objects.count()} entries." in admin.get(f"{PAGE}?verify=1").content.decode()
    )


def test_an_entry_is_shown_as_text(admin):
    record("x.y", actor="<script>alert(1)</script>", after={"name": "<img src=x>"})
    page = admin.get(PAGE).content.decode()
    assert "&lt;script&gt;alert(1)" in page and "<img src=x>" not in page


@pytest.mark.parametrize("address", [PAGE, API, "/admin/system/auditentry/"])
def test_only_admins_read_it(admin, viewer, client, address):
    assert admin.get(address).status_code == 200
    assert client.get(address).status_code in (302, 403)


def test_nobody_writes_it_in_the_admin(admin):
    entry = record("x.y")
    assert admin.post("/admin/system/auditentry/add/", {}).status_code == 403
    assert admin.post(f"/admin/system/auditentry/{entry.pk}/delete/", {"post": "yes"}).status_code == 403
    assert admin.get("/admin/system/auditentry/?q=x.y").status_code == 200
