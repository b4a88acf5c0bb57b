"""Pages in other languages, and in the reader's time zone."""

from __future__ import annotations

import re
import subprocess
from html.parser import HTMLParser
from pathlib import Path

import pytest
from django.conf import settings
from django.test import override_settings
from django.utils import translation

from onetrainer_site.languages import languages
from presets.editor import form as editor_form
from presets.models import Preset
from tests.making import make_run, make_user
from tests.needs import needs_gettext
from training.models import Run

pytestmark = pytest.mark.django_db
PAGES = (
    "/",
    "/runs/",
    "/queue/",
    "/compare/",
    "/presets/",
    "/presets/new/",
    "/samples/",
    "/system/",
    "/system/cleanup/",
    "/account/",
    "/runs/import/",
    "/runs/wizard/",
)
TABS = ("", "samples/", "metrics/", "log/", "timeline/", "files/")
SEEN = {"title", "aria-label", "placeholder", "alt"}
QUIET = {"script", "style", "code", "pre", "kbd", "textarea", "option"}
# Names, units and codes, which are the same in every language.
SAME = re.compile(r"OneTrainer( Web UI)?|CPU|GPU|UTC|[KMGT]i?B|bytes|steps/s|s/step|\d+ (h|min|s|d)\b|0000")


class Texts(HTMLParser):
    """The texts of a page that were not translated; translated texts are between « and »."""

    def __init__(self) -> None:
        super().__init__()
        self.depth = 0
        self.quiet: list[str] = []
        self.missed: list[str] = []

    def handle_starttag(self, tag, attrs):
        if tag in QUIET or ("translate", "no") in attrs:
            self.quiet.append(tag)
        for name, value in attrs:
            if name in SEEN:
                self._look(value or "", f"{tag}[{name}] ")

    def handle_endtag(self, tag):
        if self.quiet and self.quiet[-1] == tag:
            self.quiet.pop()

    def handle_data(self, data):
        if not self.quiet:
            self._look(data)

    def _look(self, text: str, where: str = "") -> None:
        outside = []
        for char in text:
            self.depth += (char == "«") - (char == "»")
            if self.depth == 0 and char != "»":
                outside.append(char)
        rest = SAME.sub("", "".join(outside))
        if re.search(r"[A-Za-z]{2}", rest):
            self.missed.append(where + " ".join(rest.split()))


@pytest.fixture
def own_language(monkeypatch):
    """A language that puts every text between « and »."""
    monkeypatch.setattr(editor_form, "_compiled", {})  # the caches for each language
    marked = translation._trans
    monkeypatch.setattr(marked, "gettext", lambda text: f"«{text}»" if text else "")
    monkeypatch.setattr(marked, "pgettext", lambda context, text: f"«{text}»")
    monkeypatch.setattr(marked, "ngettext", lambda one, many, number: f"«{one if number == 1 else many}»")
    monkeypatch.setattr(marked, "npgettext", lambda context, one, many, number: f"«{one if number == 1 else many}»")


@pytest.fixture
def admin(client):
    user = make_user("0000", is_staff=True, is_superuser=True)
    client.force_login(user)
    return user


def missed(client, path: str) -> list[str]:
    texts = Texts()
    texts.feed(client.get(path).text)
    return texts.missed


@pytest.mark.parametrize("path", PAGES)
def test_every_text_of_a_page_goes_through_the_translation(client, admin, own_language, path):
    Preset.objects.all().delete()
    assert missed(client, path) == []


@pytest.mark.parametrize("status", (Run.Status.RUNNING, Run.Status.FAILED, Run.Status.QUEUED))
@pytest.mark.parametrize("tab", TABS)
def test_every_text_of_a_run_goes_through_the_translation(client, admin, own_language, tab, status):
    run = make_run("0000", status)
    assert missed(client, f"/runs/{run.pk}/{tab}") == []


def test_an_untranslated_text_is_found():
    texts = Texts()
    texts.feed('<p title="«A title»">«Here» there <code>neither</code></p>')
    assert texts.missed == ["there"]


@pytest.fixture
def german(tmp_path):
    """A catalog with one text of each kind, made with the same tools as by translators."""
    folder = tmp_path / "de" / "LC_MESSAGES"
    folder.mkdir(parents=True)
    head = 'msgid ""\nmsgstr "Content-Type: text/plain; charset=UTF-8\\n"\n'
    (folder / "django.po").write_text(f'{head}\nmsgid "Presets"\nmsgstr "Vorlagen"\n')
    (folder / "djangojs.po").write_text(f'{head}\nmsgid "Reconnecting"\nmsgstr "Verbinde neu"\n')
    _compile(folder)
    with override_settings(LOCALE_PATHS=[str(tmp_path)], LANGUAGES=languages(tmp_path)):
        yield


def _compile(folder: Path) -> None:
    for domain in ("django", "djangojs"):
        subprocess.run(["msgfmt", "-o", folder / f"{domain}.mo", folder / f"{domain}.po"], check=True)


@needs_gettext
def test_a_reader_gets_the_browsers_language_if_it_has_a_catalog(client, admin, german):
    page = client.get("/", headers={"Accept-Language": "de-CH,en;q=0.5"})
    assert '<html lang="de">' in page.text
    assert "Vorlagen" in page.text
    assert "Verbinde neu" in client.get("/jsi18n/", headers={"Accept-Language": "de"}).text


@needs_gettext
def test_a_reader_gets_english_if_the_language_has_no_catalog(client, admin, german):
    page = client.get("/", headers={"Accept-Language": "fr"})
    assert '<html lang="en">' in page.text
    assert "Presets" in page.text


def test_only_languages_with_a_catalog_are_offered(tmp_path):
    assert languages(tmp_path) == [("en", "English")]


def test_times_are_in_the_readers_time_zone(client, admin):
    run = make_run("0000", Run.Status.FINISHED)
    run.events.create(kind="created", at="2026-01-01T12:00:00Z")
    address = f"/runs/{run.pk}/timeline/"
    client.cookies["timezone"] = "Asia%2FTokyo"
    assert "21:00" in client.get(address).text
    client.cookies["timezone"] = "../../etc/passwd"
    assert "12:00" in client.get(address).text
    assert settings.TIME_ZONE == "UTC"


def test_scripts_get_times_in_the_sites_time_zone(client, admin):
    make_run("0000", Run.Status.FINISHED, created_at="2026-01-01T12:00:00Z")
    client.cookies["timezone"] = "Asia/Tokyo"
    assert "2026-01-01T12:00:00Z" in client.get("/api/runs/").text
