"""Logs and artifacts."""

from __future__ import annotations

import io
import re
from zipfile import ZipFile

import pytest
from django.contrib.auth.models import User
from django.urls import reverse

from presets.editor.drafts import get_draft
from tests.making import make_run, make_user
from tests.markup import squeezed
from training.logs.search import first_error, search
from training.logs.tail import TAIL_BYTES, fold, tail, window
from training.models import Artifact, Run
from training.runs.continuation import Continuation
from training.runs.starting_points import config_behind

pytestmark = [pytest.mark.django_db, pytest.mark.filterwarnings("ignore:StreamingHttpResponse")]


@pytest.fixture
def run(client):
    client.force_login(make_user(is_staff=True))
    return make_run(status=Run.Status.FINISHED)


def write_log(run, text):
    run.log_file.parent.mkdir(parents=True, exist_ok=True)
    run.log_file.write_bytes(text.encode())


def make_artifact(run, path):
    return Artifact.objects.create(run=run, attempt=1, sequence=1, kind="model", path=str(path))


def test_a_line_written_over_shows_its_last_writing():
    assert fold("start\r\n 10 %\r 20 %\r\nend") == "start\n 20 %\nend"


def test_a_log_is_shown_without_the_terminals_colours_and_with_levels_of_its_own(client, run):
    assert fold("\x1b[1;31mred\x1b[0m \x1b]0;title\x07\x1b[2K10 %\r\x1b[Adone") == "done"
    write_log(run, "\x1b[32mINFO\x1b[0m <b>fine</b>\n\x1b[33mWARNING\x1b[0m it is <hot>\nERROR: it broke\n")
    page = client.get(reverse("run-log", args=[run.pk])).content.decode()
    assert "INFO &lt;b&gt;fine&lt;/b&gt;\n" in page
    assert '<span class="log-warning">WARNING it is &lt;hot&gt;\n</span>' in page
    assert '<span class="log-error">ERROR: it broke\n</span>' in page


def test_the_tail_begins_at_a_line(tmp_path):
    path = tmp_path / "log"
    path.write_text("first line\nsecond\nthird\n")
    end = tail(path, size=10)
    assert end.text == "third\n" and end.cut and end.offset == 24


def log_of_many_lines(count=60_000):
    lines = [f"12:00:00 INFO step {number}: loss 0.5" for number in range(count)]
    lines[40_000] = "12:00:00 ERROR the sampler failed"
    lines[50_000] = "12:00:00 WARNING it is hot"
    lines[50_001] = "\r".join(f"caching {done} %" for done in range(100))
    return "\n".join(lines) + "\n"


def test_windows_follow_each_other_without_a_gap(tmp_path):
    path = tmp_path / "log"
    path.write_text(log_of_many_lines())
    place, parts = 0, []
    while place is not None:
        part = window(path, place)
        assert part.begin == place and len(part.text) < 2 * TAIL_BYTES
        parts.append(part.text)
        place = part.later
    assert "".join(parts) == fold(path.read_bytes().decode())
    assert window(path, 10).begin == 0 and window(path, 10**12).later is None


def test_a_search_result_is_marked_among_the_lines_around_it(client, run):
    write_log(run, log_of_many_lines())
    page = client.get(reverse("run-log", args=[run.pk]), {"at": "error"})
    part = page.context["window"]
    assert part.line == "12:00:00 ERROR the sampler failed\n"
    assert part.before.startswith("12:00:00 INFO") and part.before.endswith("step 39999: loss 0.5\n")
    assert part.text.startswith("12:00:00 INFO step 40001: loss 0.5\n")
    assert '<mark class="log-line">12:00:00 ERROR the sampler failed' in page.text
    first = client.get(reverse("run-log", args=[run.pk]), {"at": 5, "line": 1}).context["window"]
    assert (first.before, first.line) == ("", "12:00:00 INFO step 0: loss 0.5\n")


def test_words_and_levels_are_found_in_all_of_a_log(tmp_path):
    path = tmp_path / "log"
    path.write_text(log_of_many_lines())
    assert [line.text for line in search(path, level="error").lines] == ["12:00:00 ERROR the sampler failed"]
    assert len(search(path, level="warning").lines) == 2
    assert [line.text for line in search(path, "STEP 59999:").lines] == ["12:00:00 INFO step 59999: loss 0.5"]
    assert search(path, "sampler", "warning").lines == [first_error(path)]
    assert search(path, "caching 50").lines[0].text == "caching 99 %"
    many = search(path, "loss")
    assert len(many.lines) == 300 and not many.is_all
    assert search(tmp_path / "none", "x").lines == [] and first_error(tmp_path / "none") is None


def test_a_line_is_found_once_wherever_the_log_is_cut_for_the_search(tmp_path):
    path = tmp_path / "log"
    path.write_text("".join(f"{number} ERROR: a Needle\n" for number in range(30)))
    for size in range(1, 30):
        assert len(search(path, "needle", piece=size).lines) == 30
        assert len(search(path, level="error", piece=size).lines) == 30


def test_a_search_result_links_to_the_lines_around_it(client, run):
    write_log(run, log_of_many_lines())
    address = reverse("run-log", args=[run.pk])
    page = client.get(address, {"level": "error"}).text
    place = re.search(r"at=(\d{6,})", page)[1]
    assert "the sampler failed" in page and int(place) > 1_000_000
    around = client.get(address, {"at": place}).text
    assert "the sampler failed" in around and "step 40001:" in around and "Earlier" in around
    assert "the sampler failed" in client.get(address, {"at": "error"}).text
    assert client.get(address, {"at": "9" * 40, "level": "nonsense"}).status_code == 200


def test_no_log_is_no_tail(tmp_path):
    assert tail(tmp_path / "log") is None


def test_the_log_is_shown_escaped_with_its_offset(client, run):
    write_log(run, "<b>Hello</b>\n")
    page = client.get(reverse("run-log", args=[run.pk])).text
    assert "&lt;b&gt;Hello" in page
    assert 'data-offset="13"' in page


def test_an_earlier_attempt_can_be_read(client, run):
    write_log(run, "the first try\n")
    Run.objects.filter(pk=run.pk).update(attempt=2)
    assert "the first try" in client.get(reverse("run-log", args=[run.pk]), {"attempt": 1}).text
    assert "the first try" not in client.get(reverse("run-log", args=[run.pk])).text


def test_the_whole_log_can_be_downloaded(client, run):
    write_log(run, "all of it")
    response = client.get(reverse("run-log-file", args=[run.pk]))
    assert b"".join(response) == b"all of it"
    assert "attachment" in response["Content-Disposition"]


def test_a_model_is_downloaded_under_its_name(client, run):
    run.folder.mkdir(parents=True, exist_ok=True)
    path = run.folder / "stars.safetensors"
    path.write_bytes(b"weights")
    response = client.get(reverse("artifact", args=[run.pk, make_artifact(run, path).pk]))
    assert b"".join(response) == b"weights"
    assert 'filename="stars.safetensors"' in response["Content-Disposition"]


def test_a_folder_is_downloaded_as_a_zip_file_without_its_links(client, run):
    folder = run.folder / "backup"
    (folder / "weights").mkdir(parents=True)
    (folder / "state.json").write_text("{}")
    (folder / "weights" / "unet.safetensors").write_bytes(b"w" * 600_000)
    (folder / "elsewhere").symlink_to("/etc/passwd")
    response = client.get(reverse("artifact", args=[run.pk, make_artifact(run, folder).pk]))
    archive = ZipFile(io.BytesIO(b"".join(response)))
    assert archive.namelist() == ["backup/state.json", "backup/weights/unet.safetensors"]
    assert archive.testzip() is None and archive.read("backup/weights/unet.safetensors") == b"w" * 600_000
    assert 'filename="backup.zip"' in response["Content-Disposition"]


def test_the_tab_of_files_has_all_that_the_run_left(client, run):
    write_log(run, "all of it")
    path = run.folder / "stars.safetensors"
    path.write_bytes(b"weights")
    for number in range(5):
        run.artifacts.create(attempt=1, sequence=number, kind="save", path=str(path), sha256="ab" * 32)
    page, overview = client.get(reverse("run-files", args=[run.pk])).text, client.get(run.get_absolute_url()).text
    assert page.count("Settings of this file") == 5 and overview.count("Settings of this file") == 3
    assert squeezed(page).count("ab" * 32 + '" aria-label="Copy') == 5 and f"/runs/{run.pk}/log/file/?attempt=1" in page
    assert reverse("run-files", args=[run.pk]) in overview and "/config/file/" in page


def continued_with_more_epochs(run):
    """A run with a save of before, and what it was continued to."""
    Run.objects.filter(pk=run.pk).update(config={**run.config, "epochs": 4, "batch_size": 7})
    run.refresh_from_db()
    old = run.artifacts.create(attempt=1, sequence=1, kind="save", path="/nowhere/old", epoch=4, global_step=40)
    folder = run.folder / "backup"
    folder.mkdir(parents=True)
    backup = run.artifacts.create(attempt=1, sequence=2, kind="backup", path=str(folder), epoch=4, global_step=40)
    Continuation().continue_run(run, backup, 9)
    Run.objects.filter(pk=run.pk).update(attempt=2, status="finished")
    return old, run.artifacts.create(attempt=2, sequence=3, kind="model", path="/nowhere/new", epoch=9)


def test_a_file_shows_the_settings_that_made_it_and_not_those_of_later(client, run):
    old, new = continued_with_more_epochs(run)
    address = reverse("run-config", args=[run.pk])
    assert (config_behind(old)["epochs"], config_behind(new)["epochs"]) == (4, 9)
    page = client.get(address, {"file": old.pk}).text
    assert "Settings of the save at step 40" in page and f"/runs/new/?file={old.pk}" in page
    assert re.search(r"<code>epochs</code>.*change-before\">9<.*change-after\">4<", squeezed(page))
    assert client.get(f"{address}file/", {"file": old.pk}).json()["epochs"] == 4
    assert client.get(f"{address}file/").json()["epochs"] == 9
    assert client.get(address, {"file": "another"}).status_code == 404


def test_a_new_run_begins_with_the_settings_that_made_a_file(client, run):
    old, _ = continued_with_more_epochs(run)
    page = client.get(reverse("new-run"), {"file": old.pk}, follow=True).text
    assert "save at step 40 of run Stars" in page
    draft = get_draft(User.objects.get())
    assert (draft.config["epochs"], draft.config["batch_size"], draft.start) == (4, 7, f"file:{old.pk}")
    client.post(reverse("new-run"), {"do": "start", "revision": draft.revision})
    assert Run.objects.get(status="queued").parent == run


def test_a_deleted_file_is_not_found_with_a_sentence(client, run):
    response = client.get(reverse("artifact", args=[run.pk, make_artifact(run, run.folder / "gone").pk]))
    assert response.status_code == 404
    assert "does not exist any more" in response.text


def test_an_artifact_is_found_by_its_own_run_only(client, run):
    artifact = make_artifact(run, run.folder / "a")
    assert client.get(reverse("artifact", args=[make_run().pk, artifact.pk])).status_code == 404


def test_a_file_is_pinned_and_deleted_from_the_page(client, run):
    path = run.folder / "stars.safetensors"
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(b"weights")
    artifact = make_artifact(run, path)
    Artifact.objects.update(kind="save")
    address = reverse("run-files", args=[run.pk])
    pinned = client.post(reverse("artifact-action", args=[run.pk, artifact.pk, "pin"]), {"pinned": "true"}, follow=True)
    assert "ti-pin-filled" in pinned.text and Artifact.objects.get().pinned
    client.post(reverse("artifact-action", args=[run.pk, artifact.pk, "pin"]), {"pinned": "false"})
    assert "will be deleted permanently" in client.get(address).text
    client.post(reverse("artifact-action", args=[run.pk, artifact.pk, "delete"]))
    assert not path.exists() and "removed" in client.get(address).text
    assert client.post(reverse("artifact-action", args=[run.pk, artifact.pk, "burn"])).status_code == 404


def test_viewers_neither_pin_nor_delete(client, run):
    artifact = make_artifact(run, "/nowhere/x")
    client.force_login(make_user("vera"))
    for verb in ("pin", "delete"):
        assert client.post(reverse("artifact-action", args=[run.pk, artifact.pk, verb])).status_code == 403
