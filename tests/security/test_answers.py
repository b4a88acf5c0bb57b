"""What answers tell browsers, caches and strangers; and methods and redirects that an attacker would try."""

import re

import pytest
from django.test import Client

from system.models import AuditEntry
from tests.site.test_doors import ID, PAGES, PARAMETERS

pytestmark = pytest.mark.django_db
ROUTE = re.compile(r"<(?:(\w+):)?\w+>")
ADDRESSES = sorted("/" + ROUTE.sub(lambda found: PARAMETERS[found[1] or "str"], page) for page in PAGES)
SOME = ("/", "/sign-in/", "/account/", "/nothing", "/admin/", "/api/docs/", "/api/me", "/api/nothing", "/healthz")
ELSEWHERE = ("https://evil.example/", "//evil.example/", "/\\evil.example", "https:evil.example", "javascript:alert(1)")


@pytest.mark.parametrize("path", SOME)
def test_every_answer_says_what_browsers_may_do_with_it(clients, path):
    for client in (clients["nobody"], clients["trainer"]):
        headers = client.get(path).headers
        assert headers["X-Content-Type-Options"] == "nosniff"
        assert headers["Referrer-Policy"] == "same-origin"
        assert headers["X-Frame-Options"] == "DENY"
        assert headers["Cross-Origin-Opener-Policy"] == "same-origin"


@pytest.mark.parametrize("path", ["/", "/account/", "/runs/", "/api/me", "/api/runs/", "/admin/"])
def test_no_shared_cache_keeps_an_answer(clients, path):
    headers = clients["admin"].get(path).headers
    assert "public" not in headers.get("Cache-Control", "")
    assert "Cookie" in headers.get("Vary", "") or "no-store" in headers["Cache-Control"]


@pytest.mark.parametrize("method", ["TRACE", "TRACK", "CONNECT", "DEBUG", "PROPFIND"])
def test_trace_is_refused(clients, method):
    for path in ("/", "/api/me", "/admin/"):
        assert clients["admin"].generic(method, path).status_code in (403, 405)


def test_no_page_is_changed_by_a_safe_method(clients):
    """The audit log has a row for each change, so none appears."""
    before = AuditEntry.objects.count()
    for path in ADDRESSES:
        for method in ("GET", "HEAD", "OPTIONS"):
            clients["admin"].generic(method, path)
    assert list(AuditEntry.objects.filter(number__gt=before).values_list("action", flat=True)) == []


@pytest.mark.parametrize("target", ELSEWHERE)
def test_no_address_redirects_to_another_host(clients, target):
    for path in ("/sign-in/", "/admin/login/"):
        for client in (Client(), clients["trainer"]):
            answer = client.get(path, {"next": target})
            assert "evil" not in answer.headers.get("Location", "") and "javascript" not in answer.headers.get(
                "Location", ""
            )
    answer = clients["trainer"].post(f"/runs/{ID}/favourite/", {"next": target})
    assert "evil" not in answer.headers.get("Location", "")


@pytest.mark.parametrize(
    "path", ["//evil.example", "//evil.example/%2e%2e", "/\\evil.example", "/%0d%0aSet-Cookie:x=1"]
)
def test_a_path_that_looks_like_a_host_or_a_header_leads_nowhere(clients, path):
    answer = clients["trainer"].generic("GET", path)
    assert "evil.example" not in answer.headers.get("Location", "").removeprefix("/sign-in/")
    assert "x" not in answer.cookies
