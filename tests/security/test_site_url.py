"""Hosts, origins, cookies, redirect and HSTS follow from SITE_URL, and mistakes stop the start with a sentence."""

import json
import os
import subprocess
import sys

import pytest
from django.conf import settings

from web.site_address import SiteAddress, parse_site

NAMES = (
    "ALLOWED_HOSTS CSRF_TRUSTED_ORIGINS SESSION_COOKIE_SECURE CSRF_COOKIE_SECURE SECURE_SSL_REDIRECT SECURE_SSL_HOST "
    "SECURE_HSTS_SECONDS SESSION_COOKIE_NAME"
)
VALUES = f"[getattr(settings, name) for name in '{NAMES}'.split()]"
SHOW = f"import json; from onetrainer_site import settings; print(json.dumps({VALUES}))"


def run(*command, **environment):
    kept = {name: value for name, value in os.environ.items() if name not in ("SITE_URL", "TRUSTED_PROXIES")}
    return subprocess.run(
        [sys.executable, *command], cwd=settings.BASE_DIR, env=kept | environment, capture_output=True, text=True
    )


def settings_with(**environment):
    return dict(zip(NAMES.split(), json.loads(run("-c", SHOW, **environment).stdout), strict=True))


def test_an_https_address_makes_everything_secure():
    found = settings_with(SITE_URL="https://box.example.org:8443")
    assert "box.example.org" in found["ALLOWED_HOSTS"] and "localhost" in found["ALLOWED_HOSTS"]
    assert found["CSRF_TRUSTED_ORIGINS"] == ["https://box.example.org:8443"]
    assert found["SECURE_SSL_HOST"] == "box.example.org:8443"
    assert all(found[name] for name in NAMES.split()[2:7]) and found["SESSION_COOKIE_NAME"] == "__Host-sessionid"


def test_an_http_address_and_none_keep_cookies_that_http_can_carry():
    for found in (settings_with(SITE_URL="http://box:8000"), settings_with()):
        assert not found["SESSION_COOKIE_SECURE"] and not found["SECURE_SSL_REDIRECT"]
        assert (found["SECURE_HSTS_SECONDS"], found["SESSION_COOKIE_NAME"]) == (0, "sessionid")


@pytest.mark.parametrize("address", ["https://localhost", "https://192.168.1.5", "https://box.local", "https://[::1]"])
def test_a_browser_does_not_remember_https_for_a_name_of_the_local_network(address):
    assert not parse_site(address).is_public_name


@pytest.mark.parametrize(
    ("text", "address"),
    [
        ("https://Box.Example.org/", SiteAddress("https", "box.example.org")),
        ("https://box.example.org:443", SiteAddress("https", "box.example.org")),
        ("http://box:8000", SiteAddress("http", "box", 8000)),
        ("https://[2001:DB8::1]:8443", SiteAddress("https", "[2001:db8::1]", 8443)),
        ("https://münchen.example", SiteAddress("https", "xn--mnchen-3ya.example")),
    ],
)
def test_an_address_is_read(text, address):
    assert parse_site(text) == address


WRONG = """
    box.example.org ftp://box https:// https://a,b https://user@box https://box/path https://box?x=1 https://box#x
    https://box:99999 https://[::1 https://*.example.org https://.x
"""


@pytest.mark.parametrize("text", [*WRONG.split(), "https://a b"])
def test_another_text_stops_the_start_with_a_sentence(text):
    with pytest.raises(ValueError, match=r"^(write|leave out) .*\.$"):
        parse_site(text)


def test_the_sentence_names_the_setting():
    answer = run("manage.py", "check", SITE_URL="box")
    assert answer.returncode != 0 and "SITE_URL is 'box': write the whole address" in answer.stderr


def test_the_shipped_production_settings_pass_the_deployment_check():
    lines = (settings.BASE_DIR / "deploy" / "production.env").read_text().splitlines()
    shipped = dict(line.split("=", 1) for line in lines if line and not line.startswith("#"))
    answer = run("manage.py", "check", "--deploy", "--fail-level", "WARNING", **shipped)
    assert answer.returncode == 0, answer.stderr


def test_an_https_address_without_a_known_proxy_is_warned_about():
    assert "TRUSTED_PROXIES" in run("manage.py", "check", SITE_URL="https://box.example.org").stderr


def test_networks_that_are_none_stop_the_start():
    answer = run("manage.py", "check", TRUSTED_PROXIES="10.0.0.0/8, proxy")
    assert answer.returncode != 0 and "TRUSTED_PROXIES is '10.0.0.0/8, proxy'" in answer.stderr
