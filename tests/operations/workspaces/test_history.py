"""Taking a OneTrainer workspace in as history."""

from __future__ import annotations

import os
from datetime import UTC, datetime

import pytest
from django.core.management import CommandError, call_command
from django.utils.timezone import now

from operations.workspaces import history as history_module
from operations.workspaces.history import History, Overtaken, checked_folder
from samples.models import Sample
from tests.api import content, trainer
from tests.making import make_user, trainable_config
from tests.workspaces import PROMPT, WEIGHTS, Workspace, finished_workspace, living_workspace
from training.models import Artifact, Metric, Run, RunProgress
from training.runs.actions import drawing_of, offered
from training.runs.continuation import Continuation
from training.runs.notes import RunNotes
from training.runs.removal import delete_run
from training.runs.service import TrainerService
from web.errors import BadInput, NotNow

pytestmark = pytest.mark.django_db
BEGINNING = "a red star on a white background"


@pytest.fixture(autouse=True)
def allowed(settings, tmp_path):
    settings.ALLOWED_ROOTS = [tmp_path]


@pytest.fixture
def workspace(tmp_path):
    return Workspace(tmp_path / "stars")


def taken_in(workspace, **options):
    return History(workspace.folder, **options).update()


def test_a_finished_training_becomes_a_finished_run(tmp_path):
    workspace = finished_workspace(tmp_path / "stars")
    owner = make_user()
    (run,) = taken_in(workspace, by=owner)
    assert (run.name, run.engine, run.status, run.error, run.owner) == ("stars", "onetrainer", "finished", "", owner)
    at = run.progress
    assert (at.global_step, at.epoch, at.max_step, at.max_epoch) == (20, 4, 5, 4)
    assert at.fraction_done == 1 and at.loss == pytest.approx(1 / 20)
    assert run.started_at == datetime.fromtimestamp(workspace.seconds(), UTC)
    assert run.ended_at == datetime.fromtimestamp(workspace.seconds(4), UTC)


def test_its_config_comes_without_secrets(tmp_path):
    (run,) = taken_in(finished_workspace(tmp_path))
    assert run.config["epochs"] == 4 and "private" not in str(run.config)


def test_its_samples_come_with_prompt_step_and_ema(tmp_path):
    (run,) = taken_in(finished_workspace(tmp_path))
    told = run.samples.order_by("global_step", "path").values_list("kind", "prompt", "global_step", "epoch", "is_ema")
    assert sorted(told) == [
        ("custom", "", 12, 2, True),
        ("default", PROMPT, 0, 0, True),
        ("default", PROMPT, 10, 2, False),
        ("default", PROMPT, 10, 2, True),
    ]
    assert run.samples.filter(kind="default").first().settings["seed"] == 42


def test_a_sample_whose_prompt_the_config_lost_keeps_what_its_folder_says(workspace):
    workspace.config(samples=[{"prompt": "a moon"}])
    workspace.log()
    workspace.sample(5, 1)
    (run,) = taken_in(workspace)
    assert run.samples.get().prompt == BEGINNING and run.samples.get().settings == {}


def test_a_sample_is_served_from_its_original_folder(tmp_path):
    workspace = finished_workspace(tmp_path)
    (run,) = taken_in(workspace)
    answer = trainer().get(run.samples.first().get_file_url())
    assert answer.status_code == 200 and content(answer).startswith(b"\x89PNG")


def test_its_backups_saves_and_model_come_with_their_step(tmp_path):
    (run,) = taken_in(finished_workspace(tmp_path))
    kinds = run.artifacts.order_by("global_step", "kind").values_list("kind", "global_step", "epoch")
    assert sorted(kinds) == [("backup", 20, 4), ("model", 20, 4), ("save", 10, 2)]
    assert all(artifact.size > 0 and artifact.exists for artifact in run.artifacts.all())


def test_its_scalars_come_under_the_sites_names(tmp_path):
    (run,) = taken_in(finished_workspace(tmp_path))
    assert set(run.metrics.values_list("tag", flat=True)) == {"loss", "smooth_loss", "lr/unet"}
    assert list(run.metrics.filter(tag="loss").order_by("step").values_list("step", flat=True)) == list(range(20))


def test_a_second_import_duplicates_nothing_and_adds_the_news(tmp_path):
    workspace = finished_workspace(tmp_path)
    (first,) = taken_in(workspace)
    before = count(first)
    taken_in(workspace)
    assert count(first) == before
    workspace.sample(15, 3, epoch=3, epoch_step=0)
    (second,) = taken_in(workspace)
    assert second == first and count(first) == (before[0] + 1, *before[1:])


def count(run):
    rows = (run.samples, run.artifacts, run.metrics, run.events)
    return tuple(each.count() for each in rows)


def test_a_name_given_to_a_run_since_is_kept(tmp_path):
    workspace = finished_workspace(tmp_path)
    (run,) = taken_in(workspace, name="Old stars")
    RunNotes().edit_run(run, {"name": "The best stars"})
    (again,) = taken_in(workspace, name="Old stars")
    assert again.name == "The best stars"


def test_several_trainings_become_several_runs_of_their_times(workspace):
    workspace.config(0)
    workspace.log(0, steps=5)
    workspace.backup(5, 1)
    workspace.config(60, continue_last_backup=True)
    workspace.log(60).steps(5, 8)
    first, second = taken_in(workspace)
    assert (first.name, second.name) == ("stars 2026-03-01 10:00:00", "stars 2026-03-01 11:00:00")
    assert (first.progress.global_step, second.progress.global_step) == (5, 8)
    assert second.parent == first and first.parent is None


# -- how it ended --------------------------------------------------------------------------------------------------


def ending_of(workspace):
    (run,) = taken_in(workspace)
    return run.status, run.error


def test_a_run_with_a_model_before_its_last_epoch_was_stopped(workspace):
    workspace.config(output_model_destination=str(workspace.folder / "model.safetensors"))
    workspace.log(steps=7)
    workspace.backup(7, 1, epoch=1, epoch_step=2)
    workspace.file(2, "model.safetensors")
    assert ending_of(workspace) == ("stopped", "")


def test_a_run_that_reached_its_last_epoch_has_finished_even_without_its_model(workspace):
    workspace.config()
    workspace.log(steps=20)
    workspace.backup(20, 1, epoch=4, epoch_step=0)
    assert ending_of(workspace) == ("finished", "")


def test_one_without_a_model_was_interrupted(workspace):
    workspace.config()
    workspace.log(steps=7)
    assert ending_of(workspace) == ("interrupted", "It ended before its last epoch, and left no final model.")


def test_one_without_a_step_says_so(workspace):
    workspace.log()
    assert ending_of(workspace) == ("interrupted", "It ended before its first step.")


def test_a_training_run_that_no_job_follows_is_not_shown_as_running(workspace):
    workspace, _ = living_workspace(workspace.folder, os.getpid())
    assert ending_of(workspace) == ("interrupted", history_module.STILL_TRAINS)


# -- what stays as it is -------------------------------------------------------------------------------------------


def test_a_deleted_run_leaves_the_workspace_as_it_is(tmp_path):
    workspace = finished_workspace(tmp_path)
    before = sorted(workspace.folder.rglob("*"))
    (run,) = taken_in(workspace)
    delete_run(run)
    assert sorted(workspace.folder.rglob("*")) == before and not Sample.objects.exists()


def test_the_page_before_a_deletion_says_that_these_files_stay(tmp_path, client):
    user = trainer().user
    client.force_login(user)
    workspace = finished_workspace(tmp_path)
    (run,) = taken_in(workspace)
    page = client.get(f"/runs/{run.pk}/delete/").content.decode()
    assert f"Its files in {workspace.folder} are not deleted" in page and "model.safetensors" not in page


def test_a_pruned_backup_and_an_overwritten_model_are_marked_as_deleted(tmp_path):
    workspace = finished_workspace(tmp_path)
    (run,) = taken_in(workspace)
    for file in sorted((workspace.folder / "backup").rglob("*"), reverse=True):
        file.rmdir() if file.is_dir() else file.unlink()
    (workspace.folder / "model.safetensors").unlink()
    taken_in(workspace)
    gone = run.artifacts.exclude(deleted_at=None).values_list("kind", flat=True)
    assert sorted(gone) == ["backup", "model"]


def test_a_model_that_was_half_written_when_it_was_seen_gets_its_size(tmp_path):
    workspace = finished_workspace(tmp_path)
    (run,) = taken_in(workspace)
    workspace.file(6, "model.safetensors", content=WEIGHTS + b"x" * 4990)
    taken_in(workspace)
    assert run.artifacts.get(kind="model").size == 5000


def test_a_run_that_was_continued_here_is_left_as_it_is(tmp_path):
    workspace = finished_workspace(tmp_path)
    (run,) = taken_in(workspace)
    Run.objects.filter(pk=run.pk).update(attempt=2, status=Run.Status.RUNNING)
    RunProgress.objects.filter(pk=run.pk).update(global_step=3)
    workspace.sample(18, 3)
    taken_in(workspace)
    run.refresh_from_db()
    assert (run.status, run.progress.global_step, run.samples.count()) == ("running", 3, 4)


def test_two_imports_of_the_same_workspace_do_not_disturb_each_other(workspace):
    log = workspace.log(steps=2)
    first, second = History(workspace.folder), History(workspace.folder)
    first.update()
    second.update()
    log.steps(2, 4)
    first.update()
    with pytest.raises(Overtaken):
        second.update()
    assert Metric.objects.filter(tag="loss").count() == 4


# -- what is refused -----------------------------------------------------------------------------------------------


def test_a_workspace_outside_the_allowed_folders_is_refused(tmp_path, settings):
    workspace = finished_workspace(tmp_path / "stars")
    settings.ALLOWED_ROOTS = [tmp_path / "other"]
    with pytest.raises(BadInput, match="outside the allowed folders"):
        checked_folder(str(workspace.folder))


@pytest.mark.parametrize("path", ["", "  ", None, 7, "\x00", "\udcff", "/nowhere/at/all"])
def test_a_folder_that_is_not_a_workspace_is_refused_with_a_sentence(path):
    with pytest.raises(BadInput):
        checked_folder(path)


def test_a_folder_without_a_workspace_is_refused(tmp_path):
    (tmp_path / "pictures").mkdir()
    with pytest.raises(BadInput, match="holds no OneTrainer workspace"):
        checked_folder(str(tmp_path / "pictures"))


def test_a_link_out_of_the_allowed_folders_is_not_imported(workspace, settings, tmp_path):
    settings.ALLOWED_ROOTS = [workspace.folder]
    workspace.log(steps=1)
    secret = Workspace(tmp_path / "elsewhere").sample(1, 1)
    link = workspace.folder / "samples" / "0 - star" / secret.name
    link.parent.mkdir(parents=True)
    link.symlink_to(secret)
    (run,) = taken_in(workspace)
    assert not run.samples.exists()
    assert "outside the allowed folders" in run.events.get(kind="warning").data["message"]


def test_a_followed_run_cannot_be_commanded(workspace):
    workspace.log(steps=1)
    (run,) = taken_in(workspace)
    Run.objects.filter(pk=run.pk).update(status=Run.Status.RUNNING)
    run.refresh_from_db()
    assert offered(run) == [] and drawing_of(run) is None
    with pytest.raises(NotNow, match="was started outside this site"):
        TrainerService().stop_training(run)


def test_a_run_that_trains_here_comes_before_a_followed_run(workspace, settings):
    settings.QUEUE = False
    workspace.log(steps=1)
    (watched,) = taken_in(workspace)
    Run.objects.filter(pk=watched.pk).update(status=Run.Status.RUNNING, started_at=now())
    assert Run.objects.current() == watched
    TrainerService().start_training(trainable_config())
    own = Run.objects.queued().get()
    own.move_to(Run.Status.RUNNING, attempt=1)
    assert Run.objects.current() == own


# -- continuing it here --------------------------------------------------------------------------------------------


def test_it_is_not_continued_without_onetrainer(tmp_path):
    (run,) = taken_in(finished_workspace(tmp_path))
    with pytest.raises(NotNow, match="set ONETRAINER_HOME"):
        Continuation().continue_run(run)


def test_a_backup_that_the_desktop_made_is_continued(workspace, tmp_path):
    run = continuable(workspace, tmp_path)
    Continuation().continue_run(run)
    run.refresh_from_db()
    assert (run.status, run.resume_from) == ("queued", run.artifacts.get(kind="backup").path)


def test_an_imported_config_that_would_overwrite_files_is_refused(workspace, tmp_path):
    run = continuable(workspace, tmp_path, output_model_destination="/etc/passwd")
    with pytest.raises(BadInput, match="output_model_destination"):
        Continuation().continue_run(run)


def continuable(workspace, tmp_path, **config):
    """A run with a backup, for which any engine will do here."""
    for name in ("model", "data"):
        (tmp_path / name).mkdir()
    concepts = [{"path": str(tmp_path / "data")}]
    workspace.config(base_model_name=str(tmp_path / "model"), concepts=concepts, **config)
    workspace.log(steps=7)
    workspace.backup(7, 1)
    (run,) = taken_in(workspace)
    Run.objects.filter(pk=run.pk).update(engine="builtin")
    run.refresh_from_db()
    return run


# -- the command ---------------------------------------------------------------------------------------------------


def test_the_command_reports_the_imported_runs(tmp_path, capsys):
    workspace = finished_workspace(tmp_path / "stars")
    make_user("ada")
    call_command("import_onetrainer_workspace", str(workspace.folder), name="Old", owner="ada")
    told = capsys.readouterr().out
    assert "Old, 20 steps, finished" in told and "1 training was imported." in told
    assert Run.objects.get().owner.username == "ada"


@pytest.mark.parametrize(("options", "sentence"), [({"owner": "nobody"}, "no user"), ({}, "is not a folder")])
def test_the_command_refuses_with_a_sentence(tmp_path, options, sentence):
    with pytest.raises(CommandError, match=sentence):
        call_command("import_onetrainer_workspace", str(tmp_path / "nothing"), **options)


def test_artifact_rows_belong_to_the_imported_attempt(tmp_path):
    (run,) = taken_in(finished_workspace(tmp_path))
    assert set(Artifact.objects.values_list("attempt", flat=True)) == {1} and run.attempt == 1
