"""Each limit of the table, attacked: the cases that need no web server. tests/security/sites has the others."""

from __future__ import annotations

import asyncio
import io
import json
import time
import zlib
from pathlib import Path
from uuid import UUID

import pytest
from django.conf import settings as site_settings
from django.core.files.uploadedfile import SimpleUploadedFile
from django.http import HttpRequest, HttpResponse
from django.test import Client, RequestFactory
from django.urls import get_resolver, resolve, reverse
from PIL import Image
from rest_framework.parsers import MultiPartParser

from engine.engines import ROOT
from samples.models import Sample
from tests.making import make_run, make_token, make_user
from web.guard import rates
from web.guard.requests import limited
from web.limits import bodies
from web.limits.bodies import most_bytes, takes_body
from web.limits.ranges import is_range, spans_of
from web.limits.sockets import Sockets
from web.limits.table import TABLE, as_markdown, limit
from web.serving import send_file
from web.strict_json import parse
from web.templatetags.markdown import markdown

pytestmark = pytest.mark.django_db
OF_SERVERS = (ROOT / "tests/security/sites/test_servers_under_attack.py").read_text()
HERE = Path(__file__).read_text()
# The attack on each limit: a function here, or in the file on the web servers.
ATTACKS = {
    "UNKNOWN_BODY_BYTES": "test_an_unknown_sender_is_refused_before_the_body",
    "BODY_BYTES": "test_a_signed_in_sender_is_limited_by_the_view",
    "FILES_BODY_BYTES": "test_a_signed_in_sender_is_limited_by_the_view",
    "UPLOAD_BODY_BYTES": "test_every_part_of_the_api_that_takes_files_says_how_large_they_may_be",
    "PIECE_BODY_BYTES": "test_pieces_of_an_upload_may_be_larger_and_many",
    "BODY_SECONDS": "test_a_body_that_never_arrives_is_given_up",
    "HEADER_SECONDS": "test_connections_that_say_nothing_are_closed_and_keep_nobody_out",
    "HEADERS": "test_too_many_or_too_large_headers_are_refused",
    "HEADER_BYTES": "test_one_header_without_end_is_cut_off",
    "PATH_BYTES": "test_an_endless_address_is_refused",
    "QUERY_BYTES": "test_an_endless_address_is_refused",
    "FORM_FIELDS": "test_a_form_with_too_many_fields_or_files_is_400",
    "FORM_FILES": "test_a_form_with_too_many_fields_or_files_is_400",
    "JSON_DEPTH": "test_json_that_is_too_deep_or_too_large_is_400",
    "JSON_DIGITS": "test_json_that_is_too_deep_or_too_large_is_400",
    "RANGES": "test_a_range_that_no_file_can_meet_is_416",
    "PICTURE_BYTES": "test_a_picture_that_would_fill_the_memory_is_refused_by_its_header",
    "PICTURE_PIXELS": "test_a_picture_that_would_fill_the_memory_is_refused_by_its_header",
    "MARKDOWN_CHARACTERS": "test_a_note_that_was_written_to_take_long_is_shown_as_it_is",
    "MARKDOWN_MS": "test_a_note_that_was_written_to_take_long_is_shown_as_it_is",
    "SOCKETS": "test_one_person_has_a_limited_number_of_sockets",
    "SOCKET_MESSAGES": "test_a_flood_of_messages_closes_the_socket",
    "SOCKET_MESSAGE_BYTES": "test_a_huge_message_closes_the_socket",
    "CHANGES_PER_MINUTE": "test_changes_are_counted_by_person_and_place",
    "COSTLY_PER_MINUTE": "test_costly_things_are_counted_even_if_they_only_read",
    "UNKNOWN_PER_MINUTE": "test_strangers_are_counted_by_their_address",
}


@pytest.mark.parametrize("row", TABLE, ids=lambda row: row.name)
def test_each_limit_is_used_shown_and_attacked(row):
    code = [path.read_text() for path in ROOT.rglob("*.py") if path.parts[len(ROOT.parts)] in FLOORS]
    assert any(f'"{row.name}"' in text for text in code if "BY_NAME = {" not in text), "nothing applies it"
    assert site_settings.LIMITS[row.name] > 0
    attack = f"def {ATTACKS[row.name]}("
    assert attack in OF_SERVERS or attack in HERE


FLOORS = ("engine", "web", "system", "presets", "training", "samples", "worker", "operations", "onetrainer_site")


def test_the_readme_shows_the_table():
    assert "\n".join(as_markdown()) in (ROOT / "README.md").read_text()


# -- bodies ----------------------------------------------------------------------------------------------------------


def test_a_view_says_how_large_a_body_it_takes(settings):
    settings.LIMITS = settings.LIMITS | {"BODY_BYTES": 1000, "FILES_BODY_BYTES": 2000}
    assert most_bytes("POST", "/api/presets/import/") == most_bytes("POST", "/presets/import/") == 2000
    assert most_bytes("POST", "/admin/presets/preset/import/") == 2000
    assert most_bytes("POST", "/api/presets/") == most_bytes("POST", "/nothing/here") == 1000
    assert most_bytes("GET", "/api/presets/import/") == 1000


def test_pieces_of_an_upload_may_be_larger_and_many(settings):
    settings.LIMITS = settings.LIMITS | {"PIECE_BODY_BYTES": 3000}
    path = f"/api/datasets/uploads/{UUID(int=1)}"
    assert most_bytes("PATCH", path) == 3000
    view = resolve(path).func
    assert rates._most(view, "PATCH") == 0 and rates._most(resolve("/api/presets/").func, "POST") > 0


def views_of(patterns):
    for pattern in patterns:
        if hasattr(pattern, "url_patterns"):
            yield from views_of(pattern.url_patterns)
        else:
            yield pattern.callback


def test_every_part_of_the_api_that_takes_files_says_how_large_they_may_be(settings):
    settings.LIMITS = settings.LIMITS | {"UPLOAD_BODY_BYTES": 4000}
    assert most_bytes("POST", "/api/datasets/1/pictures") == most_bytes("POST", "/datasets/1/upload/") == 4000
    found = set()
    for view in views_of(get_resolver().url_patterns):
        parsers = getattr(view, "initkwargs", {}).get("parser_classes") or getattr(
            getattr(view, "cls", None), "parser_classes", []
        )
        if any(issubclass(parser, MultiPartParser) for parser in parsers):
            found.add(view.cls)
            methods = getattr(view, "actions", None) or {"post": "post"}
            assert any(mark is not None for method in methods for mark in bodies._marks(view, method)), view
    assert len(found) >= 2, "presets and pictures"


def test_a_function_and_a_class_may_take_a_number_or_ask_for_it():
    @takes_body(7)
    def view(request: HttpRequest) -> HttpResponse:
        return HttpResponse()

    @takes_body(lambda: 9)
    class View:
        pass

    assert view.most_body_bytes == 7 and View.most_body_bytes() == 9


def test_the_application_is_not_called_with_a_body_that_is_too_large():
    called = []

    async def application(scope, receive, send):
        called.append(scope)
        while (await receive()).get("more_body"):
            called.append("read")

    async def attack():
        pieces = iter(range(10_000))
        read, said = [], []

        async def receive():
            read.append(next(pieces))
            return {"type": "http.request", "body": b"x" * 1000, "more_body": True}

        async def send(message):
            said.append(message)

        scope = {"type": "http", "method": "POST", "path": "/sign-in/", "query_string": b"", "headers": []}
        scope["headers"] = [(b"transfer-encoding", b"chunked")]
        await limited(application)(scope, receive, send)
        return said[0]["status"], called.count("read")

    status, read = asyncio.run(attack())
    assert status == 413 and read * 1000 <= limit("UNKNOWN_BODY_BYTES")


@pytest.mark.parametrize("kind", ["fields", "files"])
def test_a_form_with_too_many_fields_or_files_is_400(client, trainer, settings, kind):
    settings.DATA_UPLOAD_MAX_NUMBER_FIELDS = settings.DATA_UPLOAD_MAX_NUMBER_FILES = 10
    files = {"files": [SimpleUploadedFile(f"{number}.json", b"{}") for number in range(20)]}
    data = files if kind == "files" else {f"field-{number}": "1" for number in range(20)}
    assert client.post("/presets/import/", data).status_code == 400


# -- JSON ------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("text", ["[" * 100_000, "[" * 51 + "]" * 51, '{"a":' * 60 + "1" + "}" * 60])
def test_json_that_is_nested_too_deeply_is_refused(text):
    with pytest.raises(ValueError, match="nested"):
        parse(text)


@pytest.mark.parametrize(
    "text", ["9" * 1001, "-" + "9" * 2000, "9" * 100_000, "[1e999]", '{"a": -1e400}', "1" * 5000 + ".5"]
)
def test_numbers_that_no_setting_needs_are_refused(text):
    with pytest.raises(ValueError, match="digits|larger than"):
        parse(text)


def test_json_within_the_limits_is_read():
    assert parse("[" * 50 + "1" + "]" * 50) and parse("18446744073709551615") == 2**64 - 1 and parse("1e-400") == 0


@pytest.mark.parametrize(
    "text", ["a = " + "[" * 20_000, "a = " + "9" * 10_000, "a: " + "[" * 5_000, "a: &a [*a" * 100, "- " * 5_000]
)
def test_configs_in_other_forms_are_refused_with_a_sentence_too(client, trainer, text):
    file = SimpleUploadedFile("attack.toml" if "=" in text else "attack.yaml", text.encode())
    answer = client.post("/api/presets/import/", {"file": file})
    assert answer.status_code == 400 and answer.json()["detail"]


# -- ranges ----------------------------------------------------------------------------------------------------------

NONSENSE = [
    *("", "bytes", "bytes=", "bytes=-", "bytes=a-b", "bytes=1", "bytes=--1", "bytes=1-2-3", "bytes=5-2", "bytes=0x1-2"),
    *("lines=1-2", "0-99", "bytes 0-99", "bytes=0-1;2-3", "bytes=0-10,5-20", "bytes=0-,0-", "bytes=0-0,,1-1"),
    *("bytes=" + ",".join(f"{n}-{n}" for n in range(50)), "bytes=" + "9" * 5000 + "-", "bytes=-0", "bytes=٣-٤"),
]


@pytest.mark.parametrize("header", NONSENSE, ids=lambda header: header[:20])
def test_a_range_that_no_file_can_meet_is_416(header, tmp_path, settings):
    settings.ALLOWED_ROOTS = [tmp_path]
    (tmp_path / "a.bin").write_bytes(bytes(100))
    answer = send_file(RequestFactory().get("/", headers={"Range": header}), tmp_path / "a.bin")
    assert answer.status_code == 416 and answer.headers["Content-Range"] == "bytes */100"


def test_ranges_that_can_be_met():
    assert spans_of("bytes=0-9", 100) == [(0, 10)] and spans_of("bytes=90-", 100) == [(90, 100)]
    assert spans_of("bytes=-10", 100) == [(90, 100)] and spans_of("bytes=-1000", 100) == [(0, 100)]
    assert spans_of("bytes=5-" + "9" * 5000, 100) == [(5, 100)] and spans_of("BYTES = 0-0", 100) == [(0, 1)]
    assert spans_of("bytes=0-0, -1", 100) == [(0, 1), (99, 100)]
    assert spans_of("bytes=100-", 100) is None and is_range("bytes=100-")


# -- pictures --------------------------------------------------------------------------------------------------------


def png_of(width, height):
    """A PNG of a few kilobytes that says that it is this large."""
    from struct import pack

    def chunk(kind, data):
        return pack(">I", len(data)) + kind + data + pack(">I", zlib.crc32(kind + data))

    head = chunk(b"IHDR", pack(">IIBBBBB", width, height, 8, 0, 0, 0, 0))
    return b"\x89PNG\r\n\x1a\n" + head + chunk(b"IDAT", zlib.compress(bytes(1_000_000))) + chunk(b"IEND", b"")


def picture_of(kind):
    if kind == "png":
        return png_of(60_000, 60_000)
    made = io.BytesIO()
    Image.new("L", (1, 1)).save(made, kind)
    data = made.getvalue()
    if kind == "bmp":
        return data[:18] + (60_000).to_bytes(4, "little") * 2 + data[26:]
    if kind == "gif":
        return data[:6] + b"\xff\xff\xff\xff" + data[10:]
    place = data.index(b"\xff\xc0")
    return data[: place + 5] + b"\xff\xdc\xff\xdc" + data[place + 9 :]


@pytest.mark.parametrize("kind", ["png", "bmp", "gif", "jpeg"])
def test_a_picture_that_would_fill_the_memory_is_refused_by_its_header(client, trainer, settings, tmp_path, kind):
    settings.ALLOWED_ROOTS = [tmp_path]
    bomb = tmp_path / f"bomb.{kind}"
    bomb.write_bytes(picture_of(kind))
    began = time.thread_time()
    answer = client.get(reverse("concept-picture"), {"path": str(bomb)})
    assert answer.status_code == 400 and kind in answer.content.decode(), answer.content
    with bomb.open("ab") as file:
        file.truncate(limit("PICTURE_BYTES") + 1)
    assert client.get(reverse("concept-picture"), {"path": str(bomb)}).status_code == 400
    assert time.thread_time() - began < 2


def test_a_sample_that_would_fill_the_memory_has_no_thumbnail(client, trainer):
    run = make_run()
    run.folder.mkdir(parents=True)
    (run.folder / "a.png").write_bytes(picture_of("png"))
    sample = Sample.objects.create(run=run, attempt=1, sequence=1, path=str(run.folder / "a.png"))
    assert 400 <= client.get(f"/api/samples/{sample.pk}/thumbnail").status_code < 500


# -- Markdown --------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "piece",
    ["[", "[a](b)", "![", "*a **a ", "`a", "> ", "a|b\n-|-\n", "|a" * 200 + "\n", "<a:", "[a\n", "a\n=\n", "~~a", "- "],
)
def test_a_note_that_was_written_to_take_long_is_shown_as_it_is(piece):
    began = time.thread_time()
    shown = markdown((piece * 50_000)[: limit("MARKDOWN_CHARACTERS")])
    assert time.thread_time() - began < limit("MARKDOWN_MS") / 1000 + 1.5
    assert "<script" not in shown
    longer = markdown("<b>" + piece * limit("MARKDOWN_CHARACTERS"))
    assert longer.startswith('<div class="as-it-is">&lt;b&gt;')


def test_an_ordinary_note_is_markdown():
    assert "<strong>bold</strong>" in markdown("# Title\n\n**bold** [link](https://example.org)\n" + "word " * 5_000)


# -- rates -----------------------------------------------------------------------------------------------------------


@pytest.fixture
def three_a_minute(settings, monkeypatch):
    settings.LIMITS = settings.LIMITS | {name: 3 for name in settings.LIMITS if name.endswith("PER_MINUTE")}
    monkeypatch.setattr("web.guard.rates.time.time", lambda: 1_000_000.0)  # no minute ends during the test


def test_strangers_are_counted_by_their_address(client, db, three_a_minute):
    statuses = [client.get("/api/runs/").status_code for _ in range(5)]
    assert statuses == [401] * 3 + [429] * 2
    assert client.get("/sign-in/").status_code == 429
    assert Client(REMOTE_ADDR="192.0.2.7").get("/sign-in/").status_code == 200
    assert client.get("/healthz").status_code in (200, 503)


def test_forged_tokens_are_strangers_and_a_real_one_is_not(client, db, three_a_minute, settings):
    real = {"Authorization": f"Token {make_token(make_user('tom', is_staff=True))}"}
    assert client.get("/api/runs/", headers=real).status_code == 200
    statuses = [client.get("/api/runs/", headers={"Authorization": f"Token {n}"}).status_code for n in range(5)]
    assert 429 in statuses and 200 not in statuses
    assert client.get("/api/runs/", headers=real).status_code == 200, "its owner is at the same address"


def test_changes_are_counted_by_person_and_place(client, trainer, three_a_minute):
    statuses = [client.post("/api/presets/", {}, content_type="application/json").status_code for _ in range(4)]
    assert statuses == [400, 400, 400, 429]
    answer = client.post("/api/presets/", {}, content_type="application/json")
    assert "wait" in answer.json()["detail"] and int(answer.headers["Retry-After"]) > 0
    assert client.post("/api/training/start", {}, content_type="application/json").status_code != 429
    assert client.get("/api/presets/").status_code == 200


def test_costly_things_are_counted_even_if_they_only_read(client, trainer, three_a_minute):
    statuses = [client.get("/api/samples/zip").status_code for _ in range(4)]
    assert statuses[-1] == 429 and 429 not in statuses[:3]


def test_a_page_that_is_called_too_often_says_so(client, trainer, three_a_minute):
    answers = [client.post("/presets/import/") for _ in range(4)]
    assert answers[-1].status_code == 429 and "Too many requests" in answers[-1].content.decode()


# -- sockets ---------------------------------------------------------------------------------------------------------


def test_sockets_and_messages_are_counted_by_person(settings):
    settings.LIMITS = settings.LIMITS | {"SOCKETS": 2, "SOCKET_MESSAGES": 3}
    now = [0.0]
    sockets = Sockets(clock=lambda: now[0])
    assert [sockets.open(1), sockets.open(1), sockets.open(1), sockets.open(2)] == [True, True, False, True]
    assert [sockets.take_message(1) for _ in range(4)] == [True, True, True, False]
    now[0] = 11.0
    assert sockets.take_message(1) and sockets.take_message(2)
    sockets.close(1)
    assert sockets.open(1)


def test_every_limit_is_a_whole_number_that_the_environment_may_set():
    assert json.loads(json.dumps(site_settings.LIMITS)) == site_settings.LIMITS
    assert {f"LIMIT_{name}" for name in site_settings.LIMITS} == {row.setting for row in TABLE}


def test_a_key_twice_among_very_many_is_found_quickly():
    text = "{" + ",".join(f'"{number}": 1' for number in range(100_000)) + ', "99999": 2}'
    began = time.thread_time()
    with pytest.raises(ValueError, match="more than once"):
        parse(text)
    assert time.thread_time() - began < 2
