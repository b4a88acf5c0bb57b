"""Runs in the admin."""

from __future__ import annotations

import json

import pytest
from django.contrib.messages import get_messages
from django.urls import reverse

from samples.models import Sample
from system.models import Worker
from tests.making import make_preset, make_run, make_user, trainable_config
from training.models import Run, RunProgress

pytestmark = pytest.mark.django_db
LIST = "/admin/training/run/"
Status = Run.Status


@pytest.fixture
def admin(client):
    client.force_login(make_user("root", is_staff=True, is_superuser=True))
    return client


def page_of(run):
    return reverse("admin:training_run_change", args=[run.pk])


def act(client, action, *runs, **more):
    """Choose an action for the runs, and return what the user is told."""
    data = {"action": action, "index": 0, "_selected_action": [run.pk for run in runs], **more}
    response = client.post(LIST, data)
    assert response.status_code == 302
    return [str(message) for message in get_messages(response.wsgi_request)]


# -- the list ------------------------------------------------------------------------------------------------------


def test_the_list_shows_status_progress_loss_and_owner(admin):
    make_run(status=Status.RUNNING, owner=make_user(), global_step=50, max_step=20, max_epoch=5, smooth_loss=0.12345)
    page = admin.get(LIST).content.decode()
    assert '<span class="pill pill-running">running</span>' in page
    assert '<progress value="0.5"' in page and "50 / 100" in page
    assert "0.1235" in page and ">ada<" in page


def test_the_list_needs_as_many_queries_for_many_runs_as_for_few(admin, django_assert_max_num_queries):
    preset, worker = make_preset(), Worker.objects.create(name="host:gpu0", host="host")
    for number in range(30):
        owner = make_user(f"user{number}")
        make_run(f"Run {number}", Status.RUNNING, owner=owner, preset=preset, worker=worker)
    with django_assert_max_num_queries(16):
        admin.get(LIST)


@pytest.mark.parametrize("words", ["Portrait", "second try", "4242", "portrait second"])
def test_a_run_is_found_by_name_notes_and_config(admin, words):
    make_run("Portraits", notes="The second try", config=trainable_config(seed=4242))
    make_run("Others")
    page = admin.get(LIST, {"q": words}).content.decode()
    assert "Portraits</a>" in page and "Others</a>" not in page


def test_a_run_is_found_by_its_id_and_by_a_part_of_it(admin):
    run, _ = make_run("Portraits"), make_run("Others")
    for words in (str(run.pk), str(run.pk)[:13]):
        page = admin.get(LIST, {"q": words}).content.decode()
        assert "Portraits</a>" in page and "Others</a>" not in page


@pytest.mark.parametrize("query", ["status__exact=failed", "preset__id__exact={preset}", "owner__id__exact={owner}"])
def test_the_list_can_be_filtered(admin, query):
    preset, owner = make_preset(), make_user()
    make_run("Wanted", Status.FAILED, preset=preset, owner=owner)
    make_run("Others", Status.FINISHED)
    page = admin.get(f"{LIST}?{query.format(preset=preset.pk, owner=owner.pk)}").content.decode()
    assert "Wanted</a>" in page and "Others</a>" not in page


# -- one run -------------------------------------------------------------------------------------------------------


def test_a_runs_page_shows_how_far_it_is(admin):
    run = make_run(status=Status.RUNNING, epoch=1, max_epoch=5, smooth_loss=0.125, loss=0.25, steps_per_second=3.5)
    page = admin.get(page_of(run)).content.decode()
    assert all(text in page for text in ("1 of 5", "0.1250", "0.2500", "3.50"))


def test_a_runs_page_shows_its_config_with_every_text_escaped(admin):
    run = make_run("<b>Stars</b>", config=trainable_config(base_model_name="<script>alert(1)</script>"))
    page = admin.get(page_of(run)).content.decode()
    assert "&lt;script&gt;alert(1)&lt;/script&gt;" in page
    assert "<script>alert(1)" not in page and "<b>Stars" not in page


def test_a_runs_page_shows_what_differs_from_its_preset_and_from_the_defaults(admin):
    preset = make_preset(config={"batch_size": 3})
    run = make_run(preset=preset, preset_version=preset.versions.get(), config=trainable_config(batch_size=3, seed=77))
    from_preset, from_defaults = admin.get(page_of(run)).context["comparisons"]
    assert {"field": "seed", "before": "0", "after": "77"} in from_preset["rows"]
    assert "batch_size" not in [row["field"] for row in from_preset["rows"]]
    assert "batch_size" in [row["field"] for row in from_defaults["rows"]]


def test_a_run_of_a_removed_engine_can_still_be_viewed(admin):
    page = admin.get(page_of(make_run(engine="removed"))).content.decode()
    assert "There is no engine &#x27;removed&#x27;" in page


def test_tokens_in_a_config_are_not_shown(admin):
    run = make_run(config=trainable_config(secrets={"huggingface_token": "hf_hidden"}))
    assert "hf_hidden" not in admin.get(page_of(run)).content.decode()


def test_the_timeline_names_who_did_what_newest_first(admin):
    run = make_run(status=Status.RUNNING)
    run.events.create(kind="status_changed", data={"from": "queued", "to": "starting", "detail": ""})
    run.commands.create(kind="backup", attempt=1, requested_by=make_user(), detail="no space", status="refused")
    newest, oldest = admin.get(page_of(run)).context["timeline"]
    assert (newest.what, newest.text, newest.user.username, newest.status) == ("Back up", "no space", "ada", "refused")
    assert (oldest.what, oldest.text, oldest.user) == ("status", "queued → starting", None)


def test_a_traceback_in_the_timeline_is_kept_apart_from_its_sentence(admin):
    run = make_run(status=Status.RUNNING)
    data = {"message": "A sample failed.", "detail": "Traceback:\n  <module>", "kind": "default", "empty": None}
    run.events.create(kind="warning", data=data)
    response = admin.get(page_of(run))
    assert response.context["timeline"][0].text == "A sample failed. · kind: default"
    assert "<pre>Traceback:\n  &lt;module&gt;</pre>" in response.content.decode()


def test_samples_are_thumbnails_that_link_to_the_file(admin):
    run = make_run(status=Status.RUNNING)
    sample = Sample.objects.create(run=run, attempt=1, sequence=1, path="/data/1.png", prompt='a "red" star')
    page = admin.get(page_of(run)).content.decode()
    assert f'<a href="{sample.get_file_url()}"' in page and f'<img src="{sample.get_thumbnail_url()}"' in page
    assert 'alt="a &quot;red&quot; star"' in page


def test_an_artifact_without_its_file_is_shown_as_missing(admin, tmp_path):
    run = make_run(status=Status.FINISHED)
    (tmp_path / "there.safetensors").write_bytes(b"x" * 2048)
    for number, name in enumerate(("there", "gone")):
        path = str(tmp_path / f"{name}.safetensors")
        run.artifacts.create(kind="save", attempt=1, sequence=number, path=path, size=2048)
    page = admin.get(page_of(run)).content.decode()
    assert page.count(">missing<") == 1 and page.count("2.0\xa0KB") == 2


def test_a_failed_run_shows_its_sentence_and_traceback(admin):
    run = make_run(status=Status.FAILED, error="The disk is full: free some space.", traceback="OSError: [Errno 28]")
    page = admin.get(page_of(run)).content.decode()
    assert "The disk is full: free some space." in page and "OSError: [Errno 28]" in page


# -- editing -------------------------------------------------------------------------------------------------------


def test_notes_and_tags_of_a_live_run_can_be_edited(admin):
    run = make_run(status=Status.RUNNING)
    admin.post(page_of(run), {"notes": "looks good", "tags": "stars, demo, stars,"})
    run.refresh_from_db()
    assert (run.notes, run.tags) == ("looks good", ["stars", "demo"])


def test_editing_notes_writes_nothing_else(admin, monkeypatch):
    run = make_run(status=Status.RUNNING)
    save = Run.save

    def the_worker_was_faster(self, **options):
        RunProgress.objects.filter(pk=self.pk).update(global_step=7)
        save(self, **options)

    monkeypatch.setattr(Run, "save", the_worker_was_faster)
    admin.post(page_of(run), {"notes": "looks good", "tags": ""})
    run.refresh_from_db()
    assert (run.notes, run.progress.global_step) == ("looks good", 7)


def test_an_ended_run_cannot_be_edited(admin):
    run = make_run(status=Status.FINISHED, notes="as it was")
    assert admin.post(page_of(run), {"notes": "rewritten", "tags": ""}).status_code == 403
    assert Run.objects.get(pk=run.pk).notes == "as it was"


def test_the_config_of_a_run_cannot_be_edited(admin):
    run = make_run()
    admin.post(page_of(run), {"notes": "", "tags": "", "config": "{}", "status": "finished"})
    run.refresh_from_db()
    assert run.config == trainable_config() and run.status == Status.QUEUED


def test_a_run_cannot_be_added(admin):
    assert admin.get(f"{LIST}add/").status_code == 403


# -- deleting ------------------------------------------------------------------------------------------------------


def test_an_ended_run_is_deleted_with_its_files(admin):
    run = make_run(status=Status.STOPPED)
    run.folder.mkdir(parents=True)
    admin.post(reverse("admin:training_run_delete", args=[run.pk]), {"post": "yes"})
    assert not Run.objects.exists() and not run.folder.exists()


def test_a_live_run_cannot_be_deleted(admin):
    run = make_run(status=Status.RUNNING)
    assert admin.post(reverse("admin:training_run_delete", args=[run.pk]), {"post": "yes"}).status_code == 403
    assert Run.objects.exists()


def test_deleting_several_names_the_one_that_still_trains_and_deletes_none(admin):
    runs = make_run("Old", Status.FINISHED), make_run("Busy", Status.RUNNING)
    chosen = {"action": "delete_selected", "index": 0, "_selected_action": [run.pk for run in runs], "post": "yes"}
    page = admin.post(LIST, chosen).content.decode()
    assert "Busy is running: stop or cancel it first" in page
    assert Run.objects.count() == 2


def test_ended_runs_are_deleted_together(admin):
    runs = make_run("Old", Status.FINISHED), make_run("Older", Status.CANCELLED)
    assert act(admin, "delete_selected", *runs, post="yes") == ["Successfully deleted 2 runs."]
    assert not Run.objects.exists()


# -- actions -------------------------------------------------------------------------------------------------------


def test_stop_is_a_command_by_the_user_who_clicked(admin):
    run = make_run(status=Status.RUNNING)
    assert "Stop requested" in act(admin, "stop", run)[0]
    assert [(command.kind, str(command.requested_by)) for command in run.commands.all()] == [("stop", "root")]


def test_stop_reports_the_result_for_each_run(admin):
    said = act(admin, "stop", make_run("Busy", Status.RUNNING), make_run("Old", Status.FINISHED))
    refused, told = said
    assert refused.startswith("Old: The run “Old” is finished")
    assert "Busy" in told and "Old" not in told


def test_cancel_takes_a_run_out_of_the_queue(admin):
    run = make_run()
    act(admin, "cancel", run)
    run.refresh_from_db()
    assert run.status == Status.CANCELLED


@pytest.mark.parametrize(("action", "name"), [("queue_again", "Stars"), ("duplicate", "Stars (copy)")])
def test_queue_again_and_duplicate_make_a_new_run_and_link_it(admin, action, name):
    run = make_run(status=Status.FAILED)
    said = act(admin, action, run)
    new = Run.objects.get(parent=run)
    assert (new.name, new.status, str(new.owner)) == (name, Status.QUEUED, "root")
    assert page_of(new) in said[0]


def test_a_run_without_its_data_set_is_not_queued_again(admin):
    config = trainable_config(concepts=[{"name": "gone", "path": "/nowhere/at/all"}])
    said = act(admin, "queue_again", make_run(status=Status.FAILED, config=config))
    assert said[0].startswith("Stars: concepts.0.path") and Run.objects.count() == 1


def test_export_is_a_file_with_config_and_facts_and_without_tokens(admin):
    run = make_run(status=Status.FINISHED, config=trainable_config(seed=7, secrets={"token": "hf_hidden"}))
    response = admin.post(LIST, {"action": "export", "index": 0, "_selected_action": [run.pk]})
    (exported,) = json.loads(response.content)["runs"]
    assert response["Content-Disposition"].startswith('attachment; filename="runs-')
    assert (exported["id"], exported["status"], exported["config"]["seed"]) == (str(run.pk), "finished", 7)
    assert "hf_hidden" not in response.content.decode()


def test_an_action_on_a_runs_page_leads_back_to_it(admin):
    run = make_run(status=Status.RUNNING)
    data = {"action": "stop", "index": 0, "_selected_action": [run.pk], "back_to_run": run.pk}
    assert admin.post(LIST, data).url == page_of(run)


def test_a_run_s_page_offers_the_actions_for_its_state(admin):
    offered = {
        status: {name for name, _ in admin.get(page_of(make_run(status=status))).context["page_actions"]}
        for status in (Status.QUEUED, Status.RUNNING, Status.FAILED)
    }
    assert "cancel" in offered[Status.QUEUED] and "stop" not in offered[Status.QUEUED]
    assert "stop" in offered[Status.RUNNING] and "cancel" not in offered[Status.RUNNING]
    assert offered[Status.FAILED] == {"queue_again", "duplicate", "export"}


# -- who may -------------------------------------------------------------------------------------------------------


def test_only_staff_see_the_admin(client):
    client.force_login(make_user(permissions=("view_run",)))
    assert client.get(LIST).url.startswith("/admin/login/")


def test_staff_without_permissions_see_no_runs(client):
    client.force_login(make_user(is_staff=True))
    assert client.get("/admin/").status_code == 200
    assert client.get(LIST).status_code == 403


def test_staff_with_view_permission_can_only_export(client):
    client.force_login(make_user(is_staff=True, permissions=("view_run",)))
    run = make_run(status=Status.RUNNING)
    page = client.get(page_of(run))
    assert [name for name, _ in page.context["page_actions"]] == ["export"]
    client.post(LIST, {"action": "stop", "index": 0, "_selected_action": [run.pk]})
    assert not run.commands.exists()


@pytest.mark.parametrize("model", ["runcommand", "runevent", "artifact"])
def test_objects_of_runs_can_be_viewed_but_not_changed(admin, model):
    run = make_run(status=Status.RUNNING)
    row = {
        "runcommand": lambda: run.commands.create(kind="save", attempt=1),
        "runevent": lambda: run.events.create(kind="warning", data={"message": "hot"}),
        "artifact": lambda: run.artifacts.create(kind="save", attempt=1, sequence=1, path="/nowhere"),
    }[model]()
    assert "Stars" in admin.get(f"/admin/training/{model}/").content.decode()
    address = reverse(f"admin:training_{model}_change", args=[row.pk])
    assert admin.get(address).status_code == 200 and admin.post(address, {}).status_code == 403
