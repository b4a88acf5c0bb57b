"""The doctor: files against rows, and what is left of sites that were killed."""

import os
import socket
import time
from pathlib import Path

import pytest

from operations.doctor.finding import LOOK, NOTE, WRONG
from samples.models import Sample
from system.data_folder import FolderLock
from tests.operations.doctor.doctor_world import PICTURE, data_file, found_by, mend, told_run
from training.models import Artifact, Run

pytestmark = pytest.mark.django_db
LONG_AGO = time.time() - 2 * 86_400


@pytest.fixture(autouse=True)
def a_data_folder_of_its_own(settings, tmp_path):
    settings.DATA_DIR = tmp_path


def files():
    return found_by("Files")


def saved_model(run, content=b"weights"):
    path = data_file(f"runs/{run.pk}/model.safetensors")
    path.write_bytes(content)
    sha256 = "9a129038d9a00aed0cf6a7ea059ca50a813449061ab87848cf1a13eafdf33b2c"
    return Artifact.objects.create(
        run=run, attempt=1, sequence=99, kind="model", path=path, size=len(content), sha256=sha256
    )


def test_a_run_with_all_its_files_is_fine():
    told_run()
    assert files() == []


def test_an_artifact_without_its_file_is_reported_and_marked_as_deleted():
    run = told_run()
    model = saved_model(run)
    Path(model.path).unlink()
    (finding,) = files()
    assert finding.level == LOOK and "The final model of step 0" in finding.sentence
    mend([finding])
    model.refresh_from_db()
    assert model.deleted_at is not None
    assert files() == []


def test_a_backup_that_was_replaced_by_newer_ones_is_not_a_fault():
    run = told_run()
    Run.objects.update(config=run.config | {"rolling_backup": True})
    backup = Path(Artifact.objects.get().path)
    backup.rename(backup.with_name("gone"))
    assert files() == []
    assert len(mend(found_by("Files", NOTE))) == 1


def test_nothing_is_marked_where_the_whole_folder_is_away():
    run = told_run()
    run.folder.rename(run.folder.with_name("elsewhere"))
    gone = [finding for finding in files() if "whole folder" in finding.sentence]
    assert [finding.mend for finding in gone] == [None]


@pytest.mark.parametrize(
    ("spoil", "expected"),
    [
        (lambda path: path.write_bytes(b"weigh"), "has 5 bytes instead of 7"),
        (lambda path: path.write_bytes(b"Weights"), "its hash differs"),
    ],
)
def test_a_changed_model_is_reported(spoil, expected):
    model = saved_model(told_run())
    spoil(Path(model.path))
    (finding,) = files()
    assert finding.level == WRONG and expected in finding.sentence


def test_a_backup_with_a_truncated_file_is_reported():
    told_run()
    backup = Artifact.objects.get()
    (Path(backup.path) / "weights").write_text("w")
    Artifact.objects.update(size=sum(file.stat().st_size for file in Path(backup.path).iterdir()))
    assert "is incomplete" in files()[0].sentence


@pytest.mark.parametrize(
    ("spoil", "expected"), [(Path.unlink, "gone"), (lambda path: path.write_bytes(PICTURE[:-1]), "truncated")]
)
def test_samples_without_a_picture_are_counted_by_run(spoil, expected):
    run = told_run()
    spoil(Sample.objects.get().file)
    (finding,) = files()
    assert finding.sentence == f"Of run {run.pk}, 1 sample is {expected}{' from the disk' * (expected == 'gone')}."


def test_a_folder_without_a_run_is_reported_and_kept():
    folder = data_file("runs/6ad0d0a6-5bbf-4d9e-9a43-3f5e0a4b8d11/attempts/1/journal.jsonl").parent
    (folder / "journal.jsonl").touch()
    (finding,) = files()
    assert "belongs to no run" in finding.sentence and finding.mend is None


def test_only_old_partial_files_of_ended_runs_are_deleted():
    ended, active = told_run(), told_run(status=Run.Status.RUNNING)
    old, fresh = data_file(f"runs/{ended.pk}/old.partial"), data_file(f"runs/{ended.pk}/fresh.partial")
    living = data_file(f"runs/{active.pk}/living.partial")
    for path in (old, fresh, living):
        path.write_text("half")
    for path in (old, living):
        os.utime(path, (LONG_AGO, LONG_AGO))
    mend(files())
    assert (old.exists(), fresh.exists(), living.exists()) == (False, True, True)


def test_leftovers_of_a_killed_site_are_deleted(settings):
    lock, redis = data_file("serve.lock"), data_file("redis.sock")
    lock.write_text('{"pid": 999999}')
    with socket.socket(socket.AF_UNIX) as server:
        server.bind(str(redis))
    mend(found_by("Leftovers", NOTE))
    assert lock.read_text() == "" and not redis.exists()


def test_a_site_that_is_served_has_no_leftovers(settings):
    data_file("redis.sock").touch()
    with FolderLock(settings.DATA_DIR):
        assert found_by("Leftovers", NOTE, LOOK) == []
