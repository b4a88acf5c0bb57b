"""Retention of what a run writes, and what goes to make room."""

import shutil

import pytest

from engine.interface.free_space import mark_of
from samples import retention as pictures
from samples.models import Sample
from samples.thumbnails import kept_at
from system.models import Worker
from tests.api import trainer
from tests.making import make_run, make_user
from tests.training.files import make_backup, make_file, make_sample
from training.models import RetentionPolicy, Run
from training.models.retention import Rule
from training.runs import retention as keeping
from training.runs.removal import pin, remove_artifact, remove_by_hand
from training.runs.timeline import timeline
from web.errors import NotNow
from worker.retention import RetentionKeeper

pytestmark = pytest.mark.django_db


@pytest.fixture
def run():
    return make_run(status=Run.Status.RUNNING)


def keep(run=None, **rules):
    policy = RetentionPolicy.own(run) if run else RetentionPolicy.of_site()
    for name, value in rules.items():
        setattr(policy, name, value)
    policy.save()


def steps_there(run, kind="backup"):
    return [one.global_step for one in run.artifacts.filter(kind=kind) if one.exists]


@pytest.mark.parametrize(
    ("keep_newest", "every", "kept"),
    [(None, None, [1, 2, 3, 4, 5]), (2, None, [4, 5]), (1, 2, [2, 4, 5]), (9, None, [1, 2, 3, 4, 5])],
)
def test_a_rule_keeps_the_newest_and_every_so_manieth(keep_newest, every, kept):
    split = Rule(keep_newest, every).split([1, 2, 3, 4, 5], lambda item: True)
    assert [item for item, why in split if why] == kept


def test_deleted_items_still_count_for_every_nth():
    split = Rule(1, 2).split([1, 2, 3, 4, 5, 6, 7], lambda item: item not in (1, 3, 5))
    assert [item for item, why in split if not why] == []


def test_nothing_goes_while_there_is_no_policy(run):
    for step in (1, 2, 3):
        make_backup(run, step)
    assert keeping.apply_policy(run) == 0


def test_old_backups_and_saves_are_deleted_and_the_history_records_it(run):
    keep(keep_backups=2, keep_saves=1)
    for step in (1, 2, 3):
        make_backup(run, step)
        make_file(run, "save", step + 10)
    assert keeping.apply_policy(run) == 3
    assert (steps_there(run), steps_there(run, "save")) == ([2, 3], [13])
    gone = run.artifacts.get(kind="backup", global_step=1)
    assert gone.deleted_at and gone.deleted_why == "Deleted by the retention policy, which keeps newer files."
    assert [moment.kind for moment in timeline(run)].count("removed") == 3


def test_a_runs_own_policy_comes_before_the_sites(run):
    keep(keep_backups=1)
    keep(run, keep_backups=2)
    for step in (1, 2, 3):
        make_backup(run, step)
    keeping.apply_policy(run)
    assert steps_there(run) == [2, 3]


def test_a_pinned_backup_is_kept_and_marked_for_the_engine(run):
    keep(keep_backups=1)
    first, *_ = [make_backup(run, step) for step in (1, 2, 3)]
    pin(first, True, by=make_user())
    keeping.apply_policy(run)
    assert steps_there(run) == [1, 3]
    assert mark_of(run.folder / first.path).exists()
    pin(first, False)
    assert not mark_of(run.folder / first.path).exists()


def test_the_newest_whole_backup_of_an_unfinished_run_stays_also_where_newer_ones_are_broken(run):
    keep(keep_backups=1)
    _, whole, broken = [make_backup(run, step) for step in (1, 2, 3)]
    (run.folder / broken.path / "meta.json").unlink()
    keeping.apply_policy(run)
    assert steps_there(run) == [2, 3]
    with pytest.raises(NotNow, match="newest complete backup"):
        remove_artifact(whole, "by hand")


def test_a_user_may_delete_a_finished_run_s_last_backup(run):
    backup = make_backup(run, 1)
    Run.objects.update(status=Run.Status.FINISHED)
    backup.refresh_from_db()
    user = make_user()
    remove_by_hand(backup, by=user)
    backup.refresh_from_db()
    assert (steps_there(run), backup.deleted_by, backup.deleted_why) == ([], user, "Deleted by a user.")


def test_the_backup_that_a_queued_run_continues_from_is_kept(run):
    old, _ = make_backup(run, 1), make_backup(run, 2)
    Run.objects.update(status=Run.Status.QUEUED, resume_from=old.path)
    old.refresh_from_db()
    with pytest.raises(NotNow, match="will continue from it"):
        remove_artifact(old, "by hand")


def test_the_only_final_model_stays_and_an_older_one_may_go(run):
    older, newer = make_file(run, "model", 1), make_file(run, "model", 2)
    remove_artifact(older, "by hand")
    with pytest.raises(NotNow, match="only final model"):
        remove_artifact(newer, "by hand")


def test_nothing_is_removed_through_a_link(run, tmp_path):
    backup, _ = make_backup(run, 1), make_backup(run, 2)
    real = tmp_path / "elsewhere"
    shutil.move(run.folder / "workspace", real)
    (run.folder / "workspace").symlink_to(real)
    with pytest.raises(NotNow, match="outside the run's folder"):
        remove_artifact(backup, "by hand")
    assert len(list((real / "backup").iterdir())) == 2


def test_files_outside_the_run_s_folder_are_never_deleted(run, tmp_path):
    keep(keep_backups=1)
    for step in (1, 2):
        backup = make_backup(run, step)
        backup.path = str(shutil.move(backup.path, tmp_path / f"{step}"))
        backup.save()
    assert keeping.apply_policy(run) == 0


def test_a_pin_that_comes_at_the_last_moment_comes_first(run):
    backup, _ = make_backup(run, 1), make_backup(run, 2)
    stale = run.artifacts.get(pk=backup.pk)
    pin(backup, True)
    with pytest.raises(NotNow, match="at the same time"):
        remove_artifact(stale, "by hand")
    assert steps_there(run) == [1, 2]


def test_a_deleted_artifact_cannot_be_pinned(run):
    backup = make_backup(run, 1)
    shutil.rmtree(backup.path)
    with pytest.raises(NotNow, match="It is deleted"):
        pin(backup, True)


def test_samples_are_deleted_by_whole_steps_with_thumbnails_but_never_favourites_or_custom_samples(run):
    keep(keep_samples=1, every_samples=3)
    samples = [make_sample(run, step, index) for step in (1, 2, 3, 4) for index in (0, 1)]
    custom = make_sample(run, 1, 2, kind="custom")
    Sample.objects.filter(pk=samples[0].pk).update(favourite=True)
    kept_at(samples[1]).parent.mkdir()
    kept_at(samples[1]).touch()
    assert pictures.apply_policy(run) == 3
    there = Sample.objects.filter(kind="default").order_by("created_at", "index")
    assert [(one.global_step, one.index) for one in there] == [(1, 0), (3, 0), (3, 1), (4, 0), (4, 1)]
    assert custom.file.exists() and not samples[1].file.exists() and not kept_at(samples[1]).exists()


def test_the_newest_custom_samples_and_the_favourites_are_kept(run):
    keep(keep_custom_samples=2)
    first, *others = (make_sample(run, step, kind="custom") for step in (1, 2, 3, 4))
    Sample.objects.filter(pk=first.pk).update(favourite=True)
    default = make_sample(run, 1, 1)
    assert pictures.apply_policy(run) == 1
    assert [one.file.exists() for one in (first, *others, default)] == [True, False, True, True, True]


def test_custom_samples_do_not_count_as_steps(run):
    keep(keep_samples=1, every_samples=2, keep_custom_samples=1)
    for step in (1, 2, 3):
        make_sample(run, step, 1, kind="custom")
    pictures.apply_policy(run)
    for step in (4, 5, 6):
        make_sample(run, step)
    pictures.apply_policy(run)
    assert list(
        Sample.objects.filter(kind="default").order_by("global_step").values_list("global_step", flat=True)
    ) == [
        5,
        6,
    ]


def test_removed_steps_still_count_for_every_so_manieth_step(run):
    keep(keep_samples=1, every_samples=3)
    for step in range(1, 9):
        make_sample(run, step)
        pictures.apply_policy(run)
    assert sorted(Sample.objects.values_list("global_step", flat=True)) == [3, 6, 8]


def test_the_worker_follows_the_policy_after_each_new_file(run):
    Run.objects.update(worker=Worker.objects.create(name="gpu0", host="here"))
    keep(keep_backups=1)
    keeper = RetentionKeeper("gpu0")
    for step in (1, 2, 3):
        make_backup(run, step)
        keeper.look()
        assert steps_there(run) == [step]
    RetentionKeeper("gpu1").look()


def test_only_admins_change_the_sites_policy():
    rules = {"backups": {"keep": 3, "every": 10}}
    client = trainer()
    answer = client.put("/api/retention", rules)
    assert answer.status_code == 403 and "Only an admin" in answer.json()["detail"]
    client.user.is_staff = True
    client.user.save()
    assert client.put("/api/retention", rules).json()["backups"] == {"keep": 3, "every": 10}
    assert RetentionPolicy.of_site().rule("backups") == Rule(3, 10)


def test_a_run_gets_a_policy_of_its_own_and_loses_it_again(run):
    client, address = trainer(), f"/api/runs/{run.pk}/retention"
    assert client.put(address, {"saves": {"keep": 2}}).json()["saves"] == {"keep": 2, "every": None}
    assert client.put(address, {"saves": {"keep": 0}}).status_code == 400
    assert client.delete(address).status_code == 204
    assert client.get(address).json()["saves"] == {"keep": None, "every": None}


def test_the_api_pins_and_removes(run):
    backup, _ = make_backup(run, 1), make_backup(run, 2)
    client, address = trainer(), f"/api/artifacts/{backup.pk}"
    assert client.patch(address, {"pinned": True}).json()["pinned"] is True
    assert client.delete(address).json() == {"detail": "It is pinned: unpin it first."}
    client.patch(address, {"pinned": False})
    assert client.delete(address).status_code == 204
    assert client.get(address).json()["exists"] is False
