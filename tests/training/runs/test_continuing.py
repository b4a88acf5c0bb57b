"""Continue, which is the same run, against a new run from the weights of an old one."""

import pytest

from engine.builtin.training.checkpoint import write_backup
from engine.interface.progress import TrainProgress
from tests.api import trainer
from tests.making import make_run, make_user, trainable_config
from tests.workspaces import WEIGHTS
from training.models import Artifact, Run
from training.runs.continuation import Continuation
from training.runs.starting_points import start_from, why_not_start_from
from web.errors import DomainError

pytestmark = pytest.mark.django_db
Status = Run.Status
Kind = Artifact.Kind
ENDED_WITH_FILES = [Status.FINISHED, Status.STOPPED, Status.FAILED, Status.INTERRUPTED]


def back_up(run, step=10, epoch=1):
    progress = TrainProgress(epoch=epoch, global_step=step)
    path = write_backup(run.folder / "backup", progress, {}, lambda folder: (folder / "weights").write_bytes(b"w" * 99))
    facts = {"attempt": run.attempt, "sequence": step, "global_step": step, "epoch": epoch}
    return run.artifacts.create(kind=Kind.BACKUP, path=str(path), **facts)


def keep(run, kind=Kind.SAVE, name="save.safetensors"):
    path = run.folder / name
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(WEIGHTS)
    return run.artifacts.create(kind=kind, path=str(path), attempt=1, sequence=99, global_step=30)


def test_a_requeued_run_does_not_show_its_last_action():
    run = ended()
    Run.objects.update(status_text="Saving the final model", phase="saving")
    continued = Continuation().continue_run(run, back_up(run))
    assert (continued.status_text, continued.phase) == ("", "")


def ended(status=Status.STOPPED, **changes):
    return make_run(status=status, config=trainable_config(epochs=4, **changes))


@pytest.mark.parametrize("status", ENDED_WITH_FILES)
def test_every_ended_run_can_be_continued_and_its_weights_can_begin_another(status):
    run = ended(status)
    backup = back_up(run)
    new = Continuation().restart(run, backup)
    assert (new.parent, new.attempt, new.weights_from, new.resume_from) == (run, 0, backup.path, "")
    assert new.name == "Stars (from step 10)"
    continued = Continuation().continue_run(run, backup)
    assert (continued.pk, continued.resume_from) == (run.pk, backup.path)


def test_a_finished_run_is_continued_with_more_epochs_alone():
    api, run = trainer(), ended(Status.FINISHED)
    backup = back_up(run, 40, epoch=4)
    answer = api.post(f"/api/runs/{run.pk}/resume/")
    assert answer.status_code == 409 and "enter a higher total" in answer.json()["detail"]
    assert api.post(f"/api/runs/{run.pk}/resume/", {"epochs": 4}).json()["errors"]["epochs"]
    answer = api.post(f"/api/runs/{run.pk}/resume/", {"epochs": 9, "backup": str(backup.pk)})
    run.refresh_from_db()
    assert answer.status_code == 200 and (run.config["epochs"], run.progress.max_epoch) == (9, 9)
    assert run.events.last().data["detail"] == "to continue from the backup of step 40, with 9 epochs in total"


def test_a_finished_run_is_continued_from_a_backup_half_way_without_more():
    run = ended(Status.FINISHED)
    backup = back_up(run, 20, epoch=2)
    assert Continuation().continue_run(run, backup).config["epochs"] == 4


@pytest.mark.parametrize(("method", "field"), [("LORA", "lora_model_name"), ("FINE_TUNE", "base_model_name")])
def test_a_saved_model_becomes_the_start_that_the_config_names(method, field):
    run = ended(training_method=method, output_model_format="SAFETENSORS" if method == "FINE_TUNE" else "KOHYA_LORA")
    saved = keep(run)
    new = Continuation().restart(run, saved)
    assert (new.config[field], new.weights_from) == (saved.path, "")


def test_a_backup_of_onetrainer_gives_its_lora_and_no_more():
    run = ended(training_method="LORA")
    run.engine = "onetrainer"
    backup = back_up(run)
    assert "also continue this backup's steps" in why_not_start_from(run, backup)
    lora = run.folder / "backup" / backup.path / "lora" / "lora.safetensors"
    lora.parent.mkdir()
    lora.touch()
    assert start_from(run, backup) == ({"lora_model_name": str(lora)}, "")


def damaged(run):
    backup = back_up(run)
    Artifact.objects.update(is_damaged=True)
    backup.refresh_from_db()
    return backup


@pytest.mark.parametrize(
    ("make", "sentence"),
    [
        (lambda run: None, "no backup to continue from"),
        (lambda run: keep(run), "only be continued from a backup"),
        (lambda run: damaged(run), "damaged"),
        (lambda run: back_up(make_run(status=Status.FAILED)), "another run"),
        (lambda run: run.artifacts.create(kind=Kind.BACKUP, path="/gone", attempt=1, sequence=1), "was deleted"),
    ],
)
def test_a_refusal_says_why(make, sentence):
    run = ended()
    chosen = make(run)
    with pytest.raises(DomainError, match=sentence):
        Continuation().continue_run(run, chosen)


def test_deleted_weights_start_no_run():
    run = ended()
    gone = run.artifacts.create(kind=Kind.SAVE, path="/gone", attempt=1, sequence=1)
    answer = trainer().post(f"/api/runs/{run.pk}/restart/", {"weights": str(gone.pk)})
    assert answer.status_code == 409 and "deleted" in answer.json()["detail"]
    assert Run.objects.count() == 1


def test_the_page_offers_both_ways_for_each_file(client):
    run = ended(Status.FINISHED, training_method="LORA", output_model_format="KOHYA_LORA")
    back_up(run, 40, epoch=4), keep(run)
    client.force_login(make_user("boss", is_superuser=True, is_staff=True))
    page = client.get(f"/runs/{run.pk}/").content.decode()
    assert page.count("New run from it") == 2 and 'name="epochs"' in page
    weights = run.artifacts.get(kind=Kind.SAVE)
    client.post(f"/runs/{run.pk}/restart/", {"weights": str(weights.pk)})
    assert Run.objects.get(parent=run).config["lora_model_name"] == weights.path
