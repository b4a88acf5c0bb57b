"""Runs in the API."""

from __future__ import annotations

import base64
import io
import uuid
import zipfile
from datetime import UTC, datetime

import pytest
from django.http import QueryDict

from tests.api import content, trainer, viewer
from tests.making import make_preset, make_run, trainable_config
from training.api.runs import RunViewSet
from training.models import Artifact, Metric, Run, RunProgress
from training.table.query import asked_for

pytestmark = pytest.mark.django_db
Status = Run.Status


@pytest.fixture
def api():
    return trainer()


def names(answer):
    assert answer.status_code == 200, answer.json()
    return [run["name"] for run in answer.json()["results"]]


def make_artifact(run, kind=Artifact.Kind.BACKUP, name="backup", files=None, **fields):
    """An artifact in the run's folder: one file, or a folder with `files`."""
    path = run.folder / name
    path.parent.mkdir(parents=True, exist_ok=True)
    if files is None:
        path.write_bytes(b"weights" * 1000)
    for inner, text in (files or {}).items():
        (path / inner).parent.mkdir(parents=True, exist_ok=True)
        (path / inner).write_text(text)
    facts = {"attempt": run.attempt, "sequence": Artifact.objects.count() + 1, "path": str(path)}
    return run.artifacts.create(kind=kind, **facts | fields)


# -- lists ---------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("slash", ["", "/"])
def test_runs_are_listed_newest_first(api, slash):
    for name in "abc":
        make_run(name)
    assert names(api.get(f"/api/runs{slash}")) == ["c", "b", "a"]


def test_a_list_comes_in_pages_that_follow_each_other(api):
    for number in range(7):
        make_run(str(number), priority=number // 3)
    found, address = [], "/api/runs/?page_size=2&ordering=-priority"
    while address:
        answer = api.get(address)
        assert len(answer.json()["results"]) <= 2
        found += names(answer)
        address = answer.json()["next"]
    assert sorted(found) == list("0123456") and found[0] == "6"


def test_a_page_has_a_limited_number_of_runs(api):
    runs = Run.objects.bulk_create(Run(name=str(number), config={}) for number in range(510))
    RunProgress.objects.bulk_create(RunProgress(run=run) for run in runs)
    assert len(names(api.get("/api/runs/?page_size=100000"))) == 500
    assert len(names(api.get("/api/runs/"))) == 50


def test_a_list_needs_as_many_queries_for_many_runs_as_for_few(api, django_assert_max_num_queries):
    preset = make_preset()
    for number in range(20):
        make_run(str(number), preset=preset, preset_version=preset.versions.first(), owner=api.user)
    with django_assert_max_num_queries(4):
        assert len(names(api.get("/api/runs/"))) == 20


@pytest.mark.parametrize(
    ("query", "found"),
    [
        ("status=failed", {"Failed"}),
        ("status=failed&status=finished", {"Failed", "Done"}),
        ("owner=ada", {"Done"}),
        ("search=second", {"Failed"}),
        ("search=portrait", {"Failed"}),
        ("search=nothing", set()),
        ("engine=builtin", {"Failed", "Done"}),
    ],
)
def test_a_list_is_filtered_and_searched(api, query, found):
    make_run("Failed", Status.FAILED, notes="second try", tags=["portrait"])
    make_run("Done", Status.FINISHED, owner=api.user)
    assert set(names(api.get(f"/api/runs/?{query}"))) == found


@pytest.mark.parametrize(
    ("query", "found"),
    [
        ("tag=portrait", {"Failed"}),
        ("tag=portrai", set()),
        ("model=STABLE_DIFFUSION_15", {"Done"}),
        ("method=FINE_TUNE", {"Failed"}),
        ("q=SECOND+portrait", {"Failed"}),
        ("q=second+nothing", set()),
        ("from=2026-01-02", {"Done"}),
        ("to=2026-01-01", {"Failed"}),
        ("from=2026-01-01&to=2026-01-02", {"Failed", "Done"}),
        ("tag=portrait&status=finished", set()),
        ("tag=&from=", {"Failed", "Done"}),
    ],
)
def test_a_list_has_the_filters_of_the_page(api, query, found):
    sdxl = trainable_config(model_type="STABLE_DIFFUSION_XL_10_BASE", training_method="FINE_TUNE")
    failed = make_run("Failed", Status.FAILED, notes="second try", tags=["portrait"], config=sdxl)
    done = make_run("Done", Status.FINISHED, config=trainable_config(training_method="LORA"))
    for day, run in enumerate((failed, done), start=1):
        Run.objects.filter(pk=run.pk).update(created_at=datetime(2026, 1, day, 12, tzinfo=UTC))
    assert set(names(api.get(f"/api/runs/?{query}"))) == found
    assert {run.name for run in asked_for(QueryDict(query), api.user)} == found, "the page shows the same"


def test_a_misspelt_filter_is_refused_with_the_names_of_the_known_ones(api):
    answer = api.get("/api/runs/?tags=portrait")
    assert answer.status_code == 400
    assert list(answer.json()["errors"]) == ["tags"]
    for name in ("'tags'", "tag", "model", "method", "from", "to", "q", "favourite", "status", "page_size", "cursor"):
        assert name in answer.json()["detail"]


@pytest.mark.parametrize(
    "query",
    [
        *("preset=first", "parent=nothing", "worker=%00", "ordering=config", "ordering=owner__password"),
        *("from=yesterday", "to=2026-02-31", "tag=%00", "q=%00"),
    ],
)
def test_a_filter_that_makes_no_sense_is_refused(api, query):
    answer = api.get(f"/api/runs/?{query}")
    assert answer.status_code == 400 and answer.json()["detail"]


@pytest.mark.parametrize("cursor", ["nonsense", "p=abc", "p=9999-99-99", "o=x", "r=1&p=%00", "p=1e999"])
@pytest.mark.parametrize("order", ["created_at", "priority", "name"])
def test_a_cursor_that_makes_no_sense_is_refused_or_leads_nowhere(api, cursor, order):
    encoded = base64.b64encode(cursor.encode()).decode()
    for given in (cursor, encoded):
        answer = api.get("/api/runs/", {"cursor": given, "ordering": order})
        assert answer.status_code in (200, 400, 404)
        assert answer.status_code == 200 or answer.json()["detail"]


@pytest.mark.parametrize("order", ["name", "-name", "created_at", "queued_at", "global_step", "status"])
def test_a_list_is_ordered(api, order):
    for number, name in enumerate("bac"):
        make_run(name, global_step=number)
    found = names(api.get(f"/api/runs/?ordering={order}"))
    expected = {"name": "abc", "-name": "cba"}.get(order, "bac")
    assert sorted(found) == list("abc") and (order == "status" or found == list(expected))


@pytest.mark.parametrize("order", RunViewSet.ordering_fields)
def test_an_ordered_list_has_a_next_page(api, order):
    for number, name in enumerate("bac"):
        make_run(name, global_step=number)
    first = api.get(f"/api/runs/?ordering={order}&page_size=2").json()
    second = api.get(first["next"]).json()
    assert len({run["id"] for page in (first, second) for run in page["results"]}) == 3


@pytest.mark.parametrize(
    "verb", ["stop", "backup", "save", "sample", "pause", "continue", "resume", "restart", "duplicate"]
)
def test_a_verb_is_not_answered_to_a_get(api, verb):
    assert api.get(f"/api/runs/{make_run().pk}/{verb}").status_code == 405


# -- one run -------------------------------------------------------------------------------------------------------


def test_a_run_is_made_and_read(api):
    body = {"config_dict": trainable_config(), "name": "Mine", "notes": "First", "tags": ["a"], "priority": 3}
    answer = api.post("/api/runs/", body)
    assert answer.status_code == 201, answer.json()
    found = api.get(f"/api/runs/{answer.json()['id']}/").json()
    assert found["name"] == "Mine" and found["notes"] == "First" and found["tags"] == ["a"] and found["priority"] == 3
    assert (found["owner"], found["status"], found["preset"]) == ("ada", "queued", None)


def test_a_config_may_be_called_just_so(api):
    pk = api.post("/api/runs/", {"config": trainable_config(seed=3)}).json()["id"]
    assert Run.objects.get(pk=pk).config["seed"] == 3


def test_a_run_says_which_preset_version_it_came_from(api):
    preset = make_preset("Small", trainable_config())
    found = api.post("/api/runs/", {"preset": "Small"}).json()
    assert found["preset"] == {"id": preset.pk, "name": "Small", "version": 1}


@pytest.mark.parametrize("pk", ["f147146b-0819-4dcc-af2c-04b19b2aa588", "7", "nothing", "%00", "../../etc"])
def test_a_run_that_is_not_there(api, pk):
    for address in (f"/api/runs/{pk}", f"/api/runs/{pk}/metrics", f"/api/runs/{pk}/samples"):
        answer = api.get(address)
        assert answer.status_code == 404 and answer.json()["detail"]


def test_name_notes_tags_and_priority_can_be_changed_and_the_timeline_says_by_whom(api):
    run = make_run(status=Status.RUNNING, global_step=5)
    changes = {"name": "New", "notes": "Better", "tags": ["x", "y"], "priority": -2}
    answer = api.patch(f"/api/runs/{run.pk}/", changes)
    assert answer.status_code == 200
    assert changes.items() <= answer.json().items()
    event = run.events.get(kind="edited")
    assert (event.user, event.data) == (api.user, changes)


def test_a_favourite_is_one_s_own_and_can_be_filtered_by(api):
    run, bob = make_run(), trainer("bob")
    assert api.patch(f"/api/runs/{run.pk}/", {"favourite": True}).json()["favourite"] is True
    assert bob.get(f"/api/runs/{run.pk}/").json()["favourite"] is False
    assert (names(api.get("/api/runs/?favourite=true")), names(bob.get("/api/runs/?favourite=true"))) == (["Stars"], [])
    assert api.patch(f"/api/runs/{run.pk}/", {"favourite": False}).json()["favourite"] is False
    assert not run.events.filter(kind="edited").exists()


@pytest.mark.parametrize(
    "body",
    [
        {"status": "finished"},
        {"config": {}},
        {"name": ""},
        {"priority": 10**30},
        {"tags": "x"},
        {"name": "a" * 201},
        [1],
    ],
)
def test_nothing_else_can_be_changed(api, body):
    run = make_run()
    answer = api.patch(f"/api/runs/{run.pk}/", body)
    assert answer.status_code == 400
    assert not run.events.filter(kind="edited").exists()


def test_an_ended_run_is_deleted_with_its_files(api):
    run = make_run(status=Status.FINISHED)
    make_artifact(run)
    assert api.delete(f"/api/runs/{run.pk}/").status_code == 204
    assert not Run.objects.exists() and not run.folder.exists()


@pytest.mark.parametrize("status", [Status.QUEUED, Status.RUNNING])
def test_a_run_that_has_not_ended_is_not_deleted(api, status):
    assert api.delete(f"/api/runs/{make_run(status=status).pk}/").status_code == 409


# -- asking --------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("verb", "kind"),
    [
        ("stop", "stop"),
        ("pause", "pause"),
        ("continue", "continue"),
        ("backup", "backup"),
        ("save", "save"),
        ("sample", "sample_default"),
    ],
)
def test_a_running_run_takes_commands(api, verb, kind):
    run = make_run(status=Status.RUNNING)
    answer = api.post(f"/api/runs/{run.pk}/{verb}")
    assert answer.status_code == 202, answer.json()
    assert (answer.json()["command"]["kind"], answer.json()["command"]["requested_by"]) == (kind, "ada")
    assert answer.json()["run"]["id"] == str(run.pk)
    assert run.commands.get().kind == kind


@pytest.mark.parametrize("verb", ["stop", "pause", "continue", "backup", "save", "sample"])
def test_an_ended_run_takes_no_commands(api, verb):
    run = make_run(status=Status.FINISHED)
    assert api.post(f"/api/runs/{run.pk}/{verb}").status_code == 409
    assert not run.commands.exists()


def test_a_sample_with_settings(api):
    run = make_run(status=Status.RUNNING)
    answer = api.post(f"/api/runs/{run.pk}/sample/", {"prompt": "a moon", "steps": 5})
    assert answer.status_code == 202
    assert {"prompt": "a moon", "diffusion_steps": 5}.items() <= answer.json()["command"]["arguments"].items()
    assert api.post(f"/api/runs/{run.pk}/sample/", {"steps": 5}).status_code == 400


def test_a_stop_of_a_queued_run_cancels_it(api):
    answer = api.post(f"/api/runs/{make_run().pk}/stop/").json()
    assert (answer["command"], answer["run"]["status"]) == (None, "cancelled")


def test_only_a_queued_run_is_cancelled(api):
    assert api.post(f"/api/runs/{make_run().pk}/cancel/").json()["status"] == "cancelled"
    assert api.post(f"/api/runs/{make_run(status=Status.RUNNING).pk}/cancel/").status_code == 409


@pytest.mark.parametrize("verb", ["stop", "cancel", "sample", "restart", "duplicate", "resume"])
def test_viewers_may_not_ask(verb):
    run = make_run(status=Status.RUNNING)
    assert viewer().post(f"/api/runs/{run.pk}/{verb}/").status_code == 403
    assert viewer("victor").delete(f"/api/runs/{run.pk}/").status_code == 403


# -- again ---------------------------------------------------------------------------------------------------------


def test_a_run_is_continued_from_its_newest_backup(api):
    run = make_run(status=Status.FAILED)
    make_artifact(run, name="older", global_step=1)
    newest = make_artifact(run, name="newest", global_step=2)
    answer = api.post(f"/api/runs/{run.pk}/resume/")
    assert (answer.status_code, answer.json()["status"], answer.json()["resume_from"]) == (200, "queued", newest.path)


def test_a_run_is_continued_from_a_chosen_backup(api):
    run = make_run(status=Status.FAILED)
    chosen = make_artifact(run, name="older", global_step=1)
    make_artifact(run, name="newest", global_step=2)
    assert api.post(f"/api/runs/{run.pk}/resume/", {"backup": str(chosen.pk)}).json()["resume_from"] == chosen.path


def test_a_run_is_only_continued_from_its_own_backups(api):
    run, other = make_run(status=Status.FAILED), make_run(status=Status.FAILED)
    assert api.post(f"/api/runs/{run.pk}/resume/").status_code == 409
    model, theirs = make_artifact(run, Artifact.Kind.MODEL, "model"), make_artifact(other)
    assert api.post(f"/api/runs/{run.pk}/resume/", {"backup": str(model.pk)}).status_code == 409
    assert api.post(f"/api/runs/{run.pk}/resume/", {"backup": str(theirs.pk)}).status_code == 404
    assert api.post(f"/api/runs/{run.pk}/resume/", {"backup": "newest"}).status_code == 400


def test_a_run_is_restarted_as_a_new_run(api):
    run = make_run(status=Status.FINISHED)
    answer = api.post(f"/api/runs/{run.pk}/restart/")
    assert answer.status_code == 201
    assert (answer.json()["parent"], answer.json()["name"], answer.json()["status"]) == (str(run.pk), "Stars", "queued")


def test_a_run_is_duplicated_with_changes(api):
    run = make_run(status=Status.FINISHED)
    answer = api.post(f"/api/runs/{run.pk}/duplicate/", {"overrides": {"seed": 99}, "name": "Other seed"})
    assert answer.status_code == 201, answer.json()
    assert Run.objects.get(pk=answer.json()["id"]).config["seed"] == 99
    assert answer.json()["name"] == "Other seed"


def test_a_second_start_is_refused_where_the_queue_is_off(api, settings):
    settings.QUEUE = False
    body = {"config_dict": trainable_config()}
    assert api.post("/api/training/start", body).status_code == 200
    for address in ("/api/training/start", "/api/runs/"):
        answer = api.post(address, body)
        assert answer.status_code == 409 and "queue" in answer.json()["detail"]


# -- metrics -------------------------------------------------------------------------------------------------------


def measure(run, tag, values, **fields):
    Metric.objects.bulk_create(
        Metric(run=run, attempt=1, tag=tag, step=step, value=value, time=float(step), **fields)
        for step, value in enumerate(values)
    )


def test_metrics_come_by_tag(api):
    run = make_run(status=Status.RUNNING)
    measure(run, "loss", [3.0, 2.0, 1.0]), measure(run, "lr/unet", [0.1])
    answer = api.get(f"/api/runs/{run.pk}/metrics/").json()
    assert answer["tags"] == ["loss", "lr/unet"]
    assert answer["series"]["loss"] == {
        "steps": [0, 1, 2],
        "values": [3.0, 2.0, 1.0],
        "times": [0.0, 1.0, 2.0],
        "total": 3,
    }


@pytest.mark.parametrize("query", ["tag=loss&tag=lr", "tag=loss,lr"])
def test_metrics_of_some_tags(api, query):
    run = make_run()
    measure(run, "loss", [1]), measure(run, "lr", [1]), measure(run, "ema", [1])
    assert set(api.get(f"/api/runs/{run.pk}/metrics/?{query}").json()["series"]) == {"loss", "lr"}


def test_metrics_are_thinned_and_keep_their_extremes(api):
    run = make_run()
    values = [1.0] * 5000
    values[1234], values[4321] = -7.0, 9.0
    measure(run, "loss", values)
    series = api.get(f"/api/runs/{run.pk}/metrics/?points=50").json()["series"]["loss"]
    assert len(series["steps"]) <= 50 and series["total"] == 5000
    assert (min(series["values"]), max(series["values"])) == (-7.0, 9.0)
    assert (series["steps"][0], series["steps"][-1]) == (0, 4999)
    assert series["steps"] == sorted(series["steps"])


def test_values_of_repeated_steps_are_left_out(api):
    run = make_run()
    measure(run, "loss", [1.0], superseded=True)
    assert api.get(f"/api/runs/{run.pk}/metrics/").json()["series"] == {}


@pytest.mark.parametrize("points", ["3", "many", "100000"])
def test_a_number_of_points_that_makes_no_sense_is_refused(api, points):
    assert api.get(f"/api/runs/{make_run().pk}/metrics/?points={points}").status_code == 400


# -- log -----------------------------------------------------------------------------------------------------------


def write_log(run, content):
    run.log_file.parent.mkdir(parents=True, exist_ok=True)
    run.log_file.write_bytes(content)


def test_a_log_is_read_piece_by_piece(api):
    run = make_run(status=Status.RUNNING)
    text = "Schritt für Schritt: ✓\n" * 4
    write_log(run, text.encode())
    read, offset = "", 0
    while True:
        piece = api.get(f"/api/runs/{run.pk}/log?offset={offset}&limit=7").json()
        assert piece["size"] == len(text.encode()) and piece["offset"] == offset
        if piece["next_offset"] == offset:
            break
        read, offset = read + piece["text"], piece["next_offset"]
    assert read == text


def test_the_end_of_a_log(api):
    run = make_run(status=Status.RUNNING)
    write_log(run, b"first\nlast\n")
    piece = api.get(f"/api/runs/{run.pk}/log?offset=-5").json()
    assert (piece["text"], piece["offset"], piece["next_offset"]) == ("last\n", 6, 11)


def test_a_log_that_is_missing_or_shorter_than_requested(api):
    run = make_run()
    assert api.get(f"/api/runs/{run.pk}/log?offset=99").json()["text"] == ""
    write_log(run, b"abc")
    assert api.get(f"/api/runs/{run.pk}/log?offset=99").json()["next_offset"] == 3


def test_bytes_that_are_not_text_do_not_break_a_log(api):
    run = make_run(status=Status.RUNNING)
    write_log(run, b"ok \xff\xfe ok")
    assert api.get(f"/api/runs/{run.pk}/log").json()["text"] == "ok \ufffd\ufffd ok"


def test_an_earlier_attempt_s_log(api):
    run = make_run(status=Status.RUNNING)
    write_log(run, b"first attempt")
    Run.objects.update(attempt=2)
    assert api.get(f"/api/runs/{run.pk}/log").json()["text"] == ""
    assert api.get(f"/api/runs/{run.pk}/log?attempt=1").json()["text"] == "first attempt"
    assert api.get(f"/api/runs/{run.pk}/log?attempt=3").status_code == 400


# -- what belongs to it --------------------------------------------------------------------------------------------


def test_events_and_commands(api):
    pk = api.post("/api/runs/", {"config_dict": trainable_config()}).json()["id"]
    api.post(f"/api/runs/{pk}/stop/")
    events = api.get(f"/api/runs/{pk}/events/").json()["results"]
    assert [event["kind"] for event in events] == ["created", "status_changed"]
    assert {event["user"] for event in events} == {"ada"}
    run = make_run(status=Status.RUNNING)
    api.post(f"/api/runs/{run.pk}/save/")
    commands = api.get(f"/api/runs/{run.pk}/commands/").json()["results"]
    assert [(command["kind"], command["status"]) for command in commands] == [("save", "requested")]


def test_artifacts_are_listed_and_downloaded(api):
    run = make_run(status=Status.FINISHED)
    make_artifact(run, Artifact.Kind.MODEL, "model.safetensors")
    found = api.get(f"/api/runs/{run.pk}/artifacts/").json()["results"][0]
    assert found["kind"] == "model" and found["exists"] is True
    answer = api.get(found["url"])
    assert content(answer) == b"weights" * 1000
    assert 'attachment; filename="model.safetensors"' in answer.headers["Content-Disposition"]
    assert content(api.get(found["url"], headers={"range": "bytes=7-13"})) == b"weights"


def test_a_folder_is_downloaded_as_a_zip_file(api):
    run = make_run(status=Status.FINISHED)
    files = {"meta.json": "{}", "unet/weights.bin": "w" * 300_000, "name ✓.txt": "x"}
    make_artifact(run, name="backup-1", files=files)
    (run.folder / "backup-1" / "link").symlink_to("/etc/passwd")
    address = api.get(f"/api/runs/{run.pk}/artifacts/").json()["results"][0]["url"]
    with zipfile.ZipFile(io.BytesIO(content(api.get(address)))) as folder:
        found = {name: folder.read(name).decode() for name in folder.namelist()}
    assert found == {f"backup-1/{name}": text for name, text in files.items()}


def test_a_deleted_artifact_is_not_found(api):
    run = make_run(status=Status.FINISHED)
    artifact = make_artifact(run)
    (run.folder / "backup").unlink()
    answer = api.get(f"/api/runs/{run.pk}/artifacts/{artifact.pk}/file/")
    assert answer.status_code == 404 and "does not exist any more" in answer.json()["detail"]


def test_a_run_s_config_without_secrets(api):
    config = trainable_config(secrets={"huggingface_token": "hf_x"})
    run = make_run(config=config)
    found = api.get(f"/api/runs/{run.pk}/config/").json()
    assert found["batch_size"] == 1 and "secrets" not in found


def test_a_run_is_compared_with_its_preset_the_defaults_and_other_runs(api):
    make_preset("Small", trainable_config(seed=5))
    pk = api.post("/api/runs/", {"preset": "Small", "overrides": {"batch_size": 9}}).json()["id"]
    diff = api.get(f"/api/runs/{pk}/diff/").json()
    assert diff["against"] == "preset"
    assert {"field": "batch_size", "before": 1, "after": 9} in diff["changes"]
    fields = {change["field"] for change in api.get(f"/api/runs/{pk}/diff/?with=defaults").json()["changes"]}
    assert {"seed", "batch_size"} <= fields
    other = make_run(config=trainable_config(seed=6))
    changes = api.get(f"/api/runs/{pk}/diff/?with={other.pk}").json()["changes"]
    assert {"field": "seed", "before": 6, "after": 5} in changes
    assert api.get(f"/api/runs/{other.pk}/diff/?with=preset").status_code == 404
    assert api.get(f"/api/runs/{pk}/diff/?with=nothing").status_code == 400
    assert api.get(f"/api/runs/{pk}/diff/?with={uuid.uuid4()}").status_code == 404
