"""The single-trainer API as a client uses it that was written only from the contract."""

from __future__ import annotations

import json
import os
from urllib.parse import quote

import pytest
from django.conf import settings
from django.db import connection
from jsonschema import Draft202012Validator

from presets.config.configs import TOKEN_LEFT_OUT
from presets.models import Preset
from samples.models import Sample
from tests.api import content, trainer, viewer
from tests.making import make_preset, make_run, trainable_config
from training.models import Run

pytestmark = pytest.mark.django_db
LEFT_OUT = {"field": "secrets", "message": TOKEN_LEFT_OUT}
Status = Run.Status
SLASHES = pytest.mark.parametrize("slash", ["", "/"])


@pytest.fixture
def api():
    return trainer()


def make_sample(run, name="one.png", **fields):
    path = run.folder / "samples" / name
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(bytes(range(256)) * 8)
    facts = {"attempt": 1, "sequence": Sample.objects.count() + 1, "prompt": "a star", "settings": {"seed": 1}}
    return Sample.objects.create(run=run, path=str(path), **facts | fields)


# -- training ------------------------------------------------------------------------------------------------------


@SLASHES
def test_the_status_of_an_idle_site(api, slash):
    answer = api.get(f"/api/training/status{slash}").json()
    assert answer["is_training"] is False and answer["progress"] is None and answer["error"] is None
    assert (answer["status"], answer["max_step"], answer["max_epoch"]) == ("idle", 0, 0)


@SLASHES
def test_the_status_of_a_running_training(api, slash):
    run = make_run(
        status=Status.RUNNING, status_text="Training ...", epoch=1, epoch_step=2, epoch_sample=3, global_step=14,
        max_step=12, max_epoch=5, loss=0.5, steps_per_second=2.0, seconds_per_step=0.5,
    )  # fmt: skip
    answer = api.get(f"/api/training/status{slash}").json()
    assert answer["is_training"] is True and answer["status"] == "Training ..."
    assert answer["progress"] == {"epoch": 1, "epoch_step": 2, "epoch_sample": 3, "global_step": 14}
    assert (answer["max_step"], answer["max_epoch"]) == (12, 5)
    assert (answer["run_id"], answer["run_name"]) == (str(run.pk), "Stars")
    assert (answer["loss"], answer["eta_seconds"], answer["queue_length"]) == (0.5, 23.0, 0)


@SLASHES
def test_progress_has_exactly_the_keys_of_the_contract(api, slash):
    make_run(status=Status.RUNNING, global_step=3)
    answer = api.get(f"/api/training/progress{slash}").json()
    assert set(answer) == {"is_training", "progress", "max_step", "max_epoch"}
    assert answer["progress"]["global_step"] == 3


@SLASHES
def test_a_start_with_a_config_queues_a_run(api, slash):
    body = {"config_dict": trainable_config(), "name": "Mine", "overrides": {"seed": 7}}
    answer = api.post(f"/api/training/start{slash}", body)
    assert answer.status_code == 200, answer.json()
    run = Run.objects.get()
    assert answer.json()["success"] is True and answer.json()["message"]
    assert answer.json()["run_id"] == str(run.pk)
    assert (run.name, run.config["seed"], run.owner, run.status) == ("Mine", 7, api.user, Status.QUEUED)


def test_a_start_reports_that_it_drops_tokens(api):
    body = {"config_dict": trainable_config(), "overrides": {"secrets": {"huggingface_token": "hf_x"}}}
    assert api.post("/api/training/start", body).json()["warnings"] == [LEFT_OUT]
    assert api.post("/api/runs/", body).json()["warnings"] == [LEFT_OUT]
    assert not any("secrets" in run.config for run in Run.objects.all())


def test_a_start_with_a_config_file(api):
    path = settings.DATA_DIR / "datasets" / "config.json"
    path.write_text(json.dumps(trainable_config(seed=9)))
    assert api.post("/api/training/start", {"config_path": str(path)}).status_code == 200
    assert Run.objects.get().config["seed"] == 9


def test_a_config_file_with_half_a_character_is_refused(api):
    path = settings.DATA_DIR / "datasets" / "half.json"
    path.write_text(r'{"base_model_name": "\ud800"}')
    assert api.post("/api/training/start", {"config_path": str(path)}).status_code == 400


def test_a_start_with_a_preset(api):
    make_preset("SDXL/LoRA 16GB", trainable_config(seed=5))
    assert api.post("/api/training/start", {"preset": "SDXL/LoRA 16GB"}).status_code == 200
    run = Run.objects.get()
    assert (run.config["seed"], run.preset.name) == (5, "SDXL/LoRA 16GB")


@pytest.mark.parametrize("path", ["/etc/passwd", "../../etc/passwd", "{data}/secret_key", "/proc/self/environ"])
def test_the_refusal_of_a_config_file_outside_the_allowed_folders_shows_no_content(api, path):
    answer = api.post("/api/training/start", {"config_path": path.format(data=settings.DATA_DIR)})
    assert answer.status_code == 400
    assert list(answer.json()["errors"]) == ["config_path"]
    assert "root:" not in answer.content.decode()


@pytest.mark.parametrize(
    "body",
    [
        {},
        {"config_dict": 5},
        {"config_dict": {}, "config_path": "x"},
        [],
        "text",
        {"preset": ["x"]},
        {"config_dict": {"epochs": "many"}},
    ],
)
def test_a_start_without_a_usable_config_says_what_is_wrong(api, body):
    answer = api.post("/api/training/start", body)
    assert answer.status_code == 400
    assert answer.json()["detail"]
    assert not Run.objects.exists()


def test_a_start_with_an_unknown_engine_or_preset(api):
    answer = api.post("/api/training/start", {"config_dict": trainable_config(), "engine": "steam"})
    assert answer.status_code == 400 and "engine" in answer.json()["errors"]
    assert api.post("/api/training/start", {"preset": "nothing"}).status_code == 404


def test_a_wrong_setting_is_named_by_its_path(api):
    answer = api.post("/api/training/start", {"config_dict": trainable_config(optimizer={"optimizer": "MAGIC"})})
    assert answer.status_code == 400
    assert "optimizer.optimizer" in answer.json()["errors"]


@SLASHES
@pytest.mark.parametrize("verb", ["stop", "backup", "save"])
def test_commands_reach_a_running_training(api, verb, slash):
    run = make_run(status=Status.RUNNING)
    answer = api.post(f"/api/training/{verb}{slash}")
    assert answer.status_code == 200
    assert answer.json()["success"] is True and isinstance(answer.json()["message"], str)
    command = run.commands.get()
    assert (command.kind, command.requested_by) == (verb, api.user)


@pytest.mark.parametrize("call", ["training/stop", "training/backup", "training/save", "samples/default"])
@pytest.mark.parametrize("ended", [False, True])
def test_commands_are_refused_if_nothing_trains(api, call, ended):
    if ended:
        make_run(status=Status.FINISHED)
    answer = api.post(f"/api/{call}")
    assert answer.status_code == 409
    assert "start" in answer.json()["detail"]


def test_a_stop_takes_a_waiting_run_out_of_the_queue(api):
    run = make_run()
    assert api.post("/api/training/stop").json()["success"] is True
    run.refresh_from_db()
    assert run.status == Status.CANCELLED


# -- configs -------------------------------------------------------------------------------------------------------


@SLASHES
def test_the_working_config_starts_with_the_defaults_and_each_user_has_one(api, slash):
    address = f"/api/config/current{slash}"
    assert api.get(address).json()["config"]["batch_size"] == 1
    answer = api.put(address, {"config": {"batch_size": 3, "secrets": {"huggingface_token": "hf_x"}}})
    assert answer.status_code == 200
    assert answer.json()["config"]["batch_size"] == 3
    assert answer.json()["warnings"] == [LEFT_OUT]
    assert "warnings" not in api.get(address).json()
    assert api.get(address).json()["config"]["batch_size"] == 3
    assert "hf_x" not in api.get(address).content.decode()
    assert trainer("grace").get(address).json()["config"]["batch_size"] == 1


def test_a_bare_config_is_taken_as_the_working_config(api):
    assert api.put("/api/config/current", {"epochs": 4}).json()["config"]["epochs"] == 4


@SLASHES
def test_presets_are_listed_by_name(api, slash):
    make_preset("SDXL/LoRA 16GB"), make_preset("Small"), make_preset("Old", archived=True)
    assert api.get(f"/api/config/list{slash}").json() == {"configs": ["SDXL/LoRA 16GB", "Small"]}


@SLASHES
@pytest.mark.parametrize("safe", ["", "/"])
def test_a_preset_is_loaded_with_the_defaults_under_it(api, slash, safe):
    make_preset("SDXL/LoRA 16GB", {"batch_size": 6})
    config = api.get(f"/api/config/load/{quote('SDXL/LoRA 16GB', safe=safe)}{slash}").json()
    assert config["batch_size"] == 6 and config["epochs"] == 100


def test_an_unknown_preset_is_not_found(api):
    answer = api.get("/api/config/load/nothing")
    assert answer.status_code == 404 and "/api/config/list" in answer.json()["detail"]


@SLASHES
def test_a_config_is_saved_as_a_preset_and_again_as_its_next_version(api, slash):
    address = f"/api/config/save/{quote('SDXL/My own', safe='')}{slash}"
    for size in (2, 4):
        answer = api.post(address, trainable_config(batch_size=size))
        assert answer.json()["success"] is True, answer.json()
    preset = Preset.objects.get(name="SDXL/My own")
    assert (preset.version, preset.config["batch_size"], preset.owner) == (2, 4, api.user)
    assert "epochs" not in preset.config
    assert preset.versions.first().created_by == api.user


@pytest.mark.parametrize("name", ["a/b/c", "a%00b", "%20" + "x" * 300])
def test_a_preset_needs_a_proper_name(api, name):
    answer = api.post(f"/api/config/save/{name}", {"batch_size": 2})
    assert answer.status_code == 400 and not Preset.objects.exists()


def test_a_wrong_config_is_not_saved_as_a_preset(api):
    answer = api.post("/api/config/save/Mine", {"batch_size": "two"})
    assert answer.status_code == 400 and "batch_size" in answer.json()["errors"]
    assert not Preset.objects.exists()


@SLASHES
def test_a_config_is_validated(api, slash):
    address = f"/api/config/validate{slash}"
    assert api.post(address, trainable_config()).json()["valid"] is True
    answer = api.post(address, trainable_config(epochs="many"))
    assert answer.status_code == 200
    body = answer.json()
    assert body["valid"] is False and set(body) == {"valid", "errors", "warnings"}
    assert "epochs" in [error["field"] for error in body["errors"]]
    assert all(set(error) == {"field", "message"} for error in body["errors"] + body["warnings"])


@SLASHES
def test_the_defaults_match_the_schema(api, slash):
    schema = api.get(f"/api/config/schema{slash}").json()
    defaults = api.get(f"/api/config/defaults{slash}?engine=builtin").json()
    assert schema["$schema"] == "https://json-schema.org/draft/2020-12/schema"
    Draft202012Validator.check_schema(schema)
    Draft202012Validator(schema).validate(defaults)
    assert defaults["batch_size"] == 1


def test_an_unchanged_schema_is_not_sent_again(api):
    first = api.get("/api/config/schema")
    again = api.get("/api/config/schema", headers={"If-None-Match": first["ETag"]})
    assert (first.status_code, again.status_code, again.content) == (200, 304, b"")
    assert first["Content-Type"] == "application/json"


@pytest.mark.parametrize("call", ["schema", "defaults"])
def test_an_unknown_engine_is_refused(api, call):
    assert api.get(f"/api/config/{call}?engine=steam").status_code == 400


# -- samples -------------------------------------------------------------------------------------------------------


@SLASHES
def test_default_samples_are_requested(api, slash):
    run = make_run(status=Status.RUNNING)
    assert api.post(f"/api/samples/default{slash}").json()["success"] is True
    assert run.commands.get().kind == "sample_default"


@SLASHES
@pytest.mark.parametrize("call", ["custom", "generate"])
@pytest.mark.parametrize("steps", ["steps", "diffusion_steps"])
def test_a_custom_sample_is_requested(api, call, steps, slash):
    run = make_run(status=Status.RUNNING)
    body = {
        "prompt": "a star",
        "negative_prompt": "moon",
        "seed": 3,
        steps: 12,
        "cfg_scale": 4,
        "width": 64,
        "height": 72,
    }
    answer = api.post(f"/api/samples/{call}{slash}", body)
    assert answer.status_code == 200 and answer.json()["success"] is True
    wanted = {"prompt": "a star", "seed": 3, "diffusion_steps": 12, "cfg_scale": 4.0, "width": 64, "height": 72}
    assert wanted.items() <= run.commands.get().arguments.items()


@pytest.mark.parametrize(
    "body", [{}, {"prompt": ""}, {"prompt": "x", "width": -1}, {"prompt": "x", "steps": "ten"}, [1]]
)
def test_a_sample_with_wrong_settings_is_refused(api, body):
    run = make_run(status=Status.RUNNING)
    answer = api.post("/api/samples/custom", body)
    assert answer.status_code == 400 and answer.json()["detail"]
    assert not run.commands.exists()


@SLASHES
@pytest.mark.parametrize("call", ["list", "latest"])
def test_samples_are_listed_newest_first(api, call, slash):
    run = make_run()
    samples = [make_sample(run, f"{number}.png", global_step=number) for number in range(12)]
    found = api.get(f"/api/samples/{call}{slash}?count=11").json()["samples"]
    assert [sample["metadata"]["global_step"] for sample in found] == list(range(11, 0, -1))
    assert set(found[0]) == {"id", "timestamp", "path", "url", "metadata"}
    assert found[0]["id"] == str(samples[-1].pk) and found[0]["metadata"]["prompt"] == "a star"


def test_ten_samples_are_the_latest(api):
    run = make_run()
    for number in range(12):
        make_sample(run, f"{number}.png")
    assert len(api.get("/api/samples/latest").json()["samples"]) == 10


@pytest.mark.parametrize("count", ["0", "-1", "ten", "1001", "1e3"])
def test_an_invalid_count_is_refused(api, count):
    answer = api.get(f"/api/samples/latest?count={count}")
    assert answer.status_code == 400 and "count" in answer.json()["errors"]


@SLASHES
def test_one_sample_and_its_file(api, slash):
    sample = make_sample(make_run())
    found = api.get(f"/api/samples/{sample.pk}{slash}").json()
    assert set(found) == {"id", "timestamp", "path", "url", "metadata"}
    answer = api.get(found["url"] + slash)
    assert content(answer) == sample.file.read_bytes()
    assert answer.headers["Content-Type"] == "image/png"
    assert answer.headers["Content-Disposition"].startswith("inline")


@pytest.mark.parametrize(
    ("range_header", "first", "end"),
    [
        ("bytes=0-99", 0, 100),
        ("bytes=2000-", 2000, 2048),
        ("bytes=-48", 2000, 2048),
        ("bytes=100-9999", 100, 2048),
    ],
)
def test_a_range_of_a_file(api, range_header, first, end):
    sample = make_sample(make_run())
    answer = api.get(sample.get_file_url(), headers={"range": range_header})
    assert answer.status_code == 206
    assert content(answer) == sample.file.read_bytes()[first:end]
    assert answer.headers["Content-Range"] == f"bytes {first}-{end - 1}/2048"
    assert answer.headers["Content-Length"] == str(end - first)


@pytest.mark.parametrize("range_header", ["bytes=2048-", "bytes=9999-10000"])
def test_a_range_beyond_the_end(api, range_header):
    answer = api.get(make_sample(make_run()).get_file_url(), headers={"range": range_header})
    assert answer.status_code == 416 and answer.headers["Content-Range"] == "bytes */2048"


@pytest.mark.parametrize("range_header", ["bytes=", "bytes=-", "lines=1-2", "bytes=9-2", "bytes=0-1,1-6", "nonsense"])
def test_a_range_of_nonsense_is_refused(api, range_header):
    answer = api.get(make_sample(make_run()).get_file_url(), headers={"range": range_header})
    assert answer.status_code == 416 and answer.headers["Content-Range"] == "bytes */2048"


def test_several_parts_of_a_file_are_sent_as_the_whole(api):
    answer = api.get(make_sample(make_run()).get_file_url(), headers={"range": "bytes=0-1,5-6"})
    assert answer.status_code == 200 and len(content(answer)) == 2048


def test_an_unchanged_file_is_not_sent_again(api):
    address = make_sample(make_run()).get_file_url()
    first = api.get(address)
    assert "immutable" in first.headers["Cache-Control"] and "private" in first.headers["Cache-Control"]
    for condition in ({"if-none-match": first.headers["ETag"]}, {"if-modified-since": first.headers["Last-Modified"]}):
        assert api.get(address, headers=condition).status_code == 304


def test_a_file_that_changed_between_ranges_is_sent_whole(api):
    address = make_sample(make_run()).get_file_url()
    answer = api.get(address, headers={"range": "bytes=0-1", "if-range": '"older"'})
    assert answer.status_code == 200


def test_only_the_head_of_a_file(api):
    answer = api.head(make_sample(make_run()).get_file_url())
    assert answer.status_code == 200 and answer.headers["Content-Length"] == "2048" and not answer.content


def test_a_file_that_is_deleted_or_outside_the_run_is_not_found(api):
    gone = make_sample(make_run(), "gone.png")
    gone.file.unlink()
    elsewhere = make_sample(make_run())
    Sample.objects.filter(pk=elsewhere.pk).update(path="/etc/passwd")
    for sample in (gone, elsewhere):
        answer = api.get(sample.get_file_url())
        assert answer.status_code == 404 and answer.json()["detail"]


def test_a_file_that_a_browser_could_execute_is_only_downloaded(api):
    answer = api.get(make_sample(make_run(), "page.html").get_file_url())
    assert answer.headers["Content-Disposition"].startswith("attachment")


# -- system --------------------------------------------------------------------------------------------------------


@SLASHES
def test_the_facts_of_the_host(api, slash):
    answer = api.get(f"/api/system/info{slash}").json()
    assert {"os", "cpu", "memory", "disk", "gpu"} <= set(answer)
    assert {"count", "usage_percent"} <= set(answer["cpu"])
    assert {"total_gb", "used_gb", "available_gb", "usage_percent"} <= set(answer["memory"])
    assert {"available", "count", "devices"} <= set(answer["gpu"])


@SLASHES
def test_the_usage_of_the_host(api, slash):
    answer = api.get(f"/api/system/resources{slash}").json()
    assert set(answer) == {"cpu_percent", "memory_percent", "disk_percent", "gpu_memory"}


@SLASHES
def test_the_training_process(api, slash):
    from engine.launcher import PROCESS_FILE, Identity, asdict, write_json

    run = make_run(status=Status.RUNNING)
    assert api.get(f"/api/system/processes{slash}").status_code == 404
    run.attempt_folder.mkdir(parents=True)
    write_json(run.attempt_folder / PROCESS_FILE, asdict(Identity.of(os.getpid())))
    answer = api.get(f"/api/system/processes{slash}").json()
    assert set(answer) == {"pid", "cpu_percent", "memory_percent", "memory_mb", "num_threads", "status"}
    assert answer["pid"] == os.getpid()


# -- permissions ---------------------------------------------------------------------------------------------------

READS = ["training/status", "training/progress", "config/current", "config/list", "config/schema", "config/defaults"]
READS += ["samples/list", "samples/latest", "system/info", "system/resources", "me"]
WRITES = ["training/start", "training/stop", "training/backup", "training/save", "config/save/x", "samples/default"]
WRITES += ["samples/custom", "samples/generate"]


@pytest.mark.parametrize("call", READS)
def test_viewers_may_read(call):
    assert viewer().get(f"/api/{call}").status_code == 200


@pytest.mark.parametrize("call", WRITES)
def test_viewers_may_not_change_anything(call):
    answer = viewer().post(f"/api/{call}", {})
    assert answer.status_code == 403
    assert "admin" in answer.json()["detail"]


def test_viewers_may_check_a_config():
    assert viewer().post("/api/config/validate", trainable_config()).status_code == 200


def test_a_run_that_is_claimed_during_the_status_request_is_included():
    make_run("Earlier", Run.Status.FINISHED)
    run = make_run("Claimed", Run.Status.QUEUED)

    def claim_before_the_queue_is_read(execute, sql, params, many, context):
        if "queued" in (params or ()):
            Run.objects.filter(pk=run.pk).update(status=Run.Status.STARTING)
        return execute(sql, params, many, context)

    with connection.execute_wrapper(claim_before_the_queue_is_read):
        assert Run.objects.current() == run
