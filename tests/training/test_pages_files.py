"""Logs and artifacts."""

from __future__ import annotations

import pytest
from django.urls import reverse

from tests.making import make_run, make_user
from training.logs import fold, tail
from training.models import Artifact, Run

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


def test_the_tail_begins_at_a_line(tmp_path):
    path = tmp_path / "log"
    path.write_text("first line\nsecond\nthird\n")
    end = tail(path, size=10)
    assert end.text == "third\n" and end.cut and end.offset == 24


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


def test_a_folder_is_downloaded_packed(client, run):
    folder = run.folder / "backup"
    folder.mkdir(parents=True)
    (folder / "state.json").write_text("{}")
    response = client.get(reverse("artifact", args=[run.pk, make_artifact(run, folder).pk]))
    assert b"backup/state.json" in b"".join(response)


def test_a_file_that_is_gone_is_not_found_with_a_sentence(client, run):
    response = client.get(reverse("artifact", args=[run.pk, make_artifact(run, run.folder / "gone").pk]))
    assert response.status_code == 404
    assert "not here any more" in response.text


def test_an_artifact_is_found_by_its_own_run_only(client, run):
    artifact = make_artifact(run, run.folder / "a")
    assert client.get(reverse("artifact", args=[make_run().pk, artifact.pk])).status_code == 404
