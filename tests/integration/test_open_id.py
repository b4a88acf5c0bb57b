"""Sign-in by OpenID Connect, at a provider that the test runs."""

from __future__ import annotations

import pytest
import requests

from tests.integration.open_id_provider import CLIENT, SECRET, Provider


@pytest.fixture(scope="module")
def provider():
    provider = Provider()
    yield provider
    provider.close()


def start(make_site, name, provider, **more):
    facts = {"OIDC_ISSUER": provider.issuer, "OIDC_CLIENT_ID": CLIENT, "OIDC_CLIENT_SECRET": SECRET}
    return make_site(name, **facts, OIDC_NAME="Our own", **more).start("--no-demo", "--no-worker")


def sign_in(site):
    """What a browser does that presses the provider's button: follow each redirect."""
    browser = requests.Session()
    assert "Continue with Our own" in browser.get(f"{site.address}/account/login/", timeout=60).text
    return browser, browser.get(f"{site.address}/account/by/oidc/login/", timeout=60)


def test_a_new_person_gets_an_account_with_the_groups_of_the_provider(make_site, provider):
    site = start(make_site, "oidc", provider, OIDC_SIGN_UP="true", OIDC_GROUPS="gpu-team=trainers,ops=admin")
    provider.person = {"sub": "1", "preferred_username": "grace", "email": "g@example.org", "groups": ["gpu-team"]}
    browser, page = sign_in(site)
    assert page.url == f"{site.address}/", page.text[:2000]
    facts = browser.get(f"{site.address}/api/me", timeout=60).json()
    assert (facts["username"], facts["may_train"], facts["is_admin"]) == ("grace", True, False)
    provider.person["groups"] = ["ops"]
    browser, _ = sign_in(site)
    assert browser.get(f"{site.address}/api/me", timeout=60).json()["is_admin"]
    provider.person["groups"] = []
    browser, _ = sign_in(site)
    facts = browser.get(f"{site.address}/api/me", timeout=60).json()
    assert (facts["username"], facts["may_train"], facts["is_admin"]) == ("grace", False, False)
    forged = requests.get(f"{site.address}/account/by/oidc/login/callback/?code=x&state=y", timeout=60)
    assert forged.status_code < 500 and "/account/3rdparty/" not in forged.url.replace("/login/error/", "")
    site.stop()


def test_by_default_the_provider_makes_no_accounts(make_site, provider):
    site = start(make_site, "oidc-closed", provider)
    provider.person = {"sub": "2", "preferred_username": "eve", "email": "e@example.org"}
    browser, page = sign_in(site)
    assert page.status_code < 500 and "closed" in page.text.lower()
    assert browser.get(f"{site.address}/api/me", timeout=60).status_code == 401
    site.stop()
