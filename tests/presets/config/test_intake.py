"""Every way in takes configs of older versions, of other trainers and with numbers in quotes, and says so."""

import json
import os
from pathlib import Path

import pytest
from django.core.files.uploadedfile import SimpleUploadedFile

from presets.config import configs
from presets.config.intake import take_in
from presets.editor import json_text
from presets.models import Draft, Preset
from tests.api import trainer
from tests.making import trainable_config
from training.models import Run
from web.errors import BadInput

pytestmark = pytest.mark.django_db
KOHYA = 'pretrained_model_name_or_path = "owner/model"\ntrain_batch_size = 3\nnetwork_dim = 8\nmax_train_epochs = 5\n'


@pytest.fixture
def folder(settings, tmp_path):
    settings.ALLOWED_ROOTS = [tmp_path]
    return tmp_path


def old(**changes):
    """A config of version 0, as the oldest OneTrainer wrote it."""
    return {"__version": 0, "optimizer": "ADAMW", "optimizer_beta1": 0.8, "train_unet": True, **changes}


@pytest.fixture
def config():
    whole = trainable_config()
    return {name: whole[name] for name in ("base_model_name", "concepts", "samples")}


def warned(body):
    return " ".join(f"{one['field']} {one['message']}" for one in body.get("warnings", []))


def test_the_check_takes_an_old_config(config):
    body = trainer().post("/api/config/validate?preflight=false", config | old(), format="json").json()
    assert body["valid"] is True and "migrated from version 0" in warned(body)


def test_the_check_takes_a_foreign_config():
    foreign = {"pretrained_model_name_or_path": "a/b", "network_dim": 8, "train_batch_size": 0}
    body = trainer().post("/api/config/validate?preflight=false", foreign, format="json").json()
    assert "sd-scripts" in warned(body) and "train_batch_size" in warned(body)


def test_a_number_in_quotes_is_a_number_with_a_note(config):
    quoted = config | {"epochs": "3", "learning_rate": "1e-4", "latent_caching": "False", "clip_grad_norm": " 1 "}
    quoted |= {"optimizer": {"optimizer": "ADAMW", "beta1": "0.8"}, "seed": "many"}
    body = trainer().post("/api/config/validate?preflight=false", quoted, format="json").json()
    assert [one["field"] for one in body["errors"]] == ["seed"]
    assert all(field in warned(body) for field in ("epochs", "learning_rate", "latent_caching", "optimizer.beta1"))
    taken = take_in(quoted).config
    assert (taken["epochs"], taken["learning_rate"], taken["latent_caching"]) == (3, 1e-4, False)


@pytest.mark.parametrize("text", ["3.5", "0x10", "1_000", "", "nan", "1e9999999", "１", "9" * 500])
def test_text_that_is_no_whole_number_stays_text(text):
    assert take_in({"epochs": text}).config == {"epochs": text}


@pytest.mark.parametrize("address", ["/api/training/start", "/api/runs/"])
def test_a_start_takes_an_old_config_and_says_so(config, address):
    sent = {"config_dict": config | old(epochs="2")}
    body = trainer().post(address, sent, format="json").json()
    run = Run.objects.get()
    assert (run.config["optimizer"]["beta1"], run.config["epochs"]) == (0.8, 2)
    assert "migrated from version 0" in warned(body) and "epochs" in warned(body)


def test_an_old_config_does_not_change_the_preset_below_it(config):
    preset = Preset.objects.create(name="base")
    preset.save_version({"unet": {"gradient_checkpointing": False}, "save_every": 9})
    body = {"preset": "base", "config_dict": config | {"__version": 4, "save_after_unit": "EPOCH"}}
    answer = trainer().post("/api/training/start", body, format="json")
    assert answer.status_code == 200, answer.json()
    run = Run.objects.get()
    assert (run.config["unet"]["gradient_checkpointing"], run.config["save_every"]) == (False, 9)
    assert run.config["save_every_unit"] == "EPOCH"


@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "utf-16"])
def test_a_config_path_names_a_file_in_any_encoding(folder, config, encoding):
    (folder / "pictures").mkdir()
    config["concepts"] = [{"path": str(folder / "pictures")}]
    (folder / "c.json").write_text(json.dumps(config | {"base_model_name": "o/m", "epochs": 4}), encoding=encoding)
    answer = trainer().post("/api/training/start", {"config_path": str(folder / "c.json")}, format="json")
    assert answer.status_code == 200, answer.json()
    assert Run.objects.get().config["epochs"] == 4


def test_a_config_path_names_a_file_of_another_trainer(folder):
    (folder / "kohya.toml").write_text(KOHYA)
    (folder / "pictures").mkdir()
    body = {"config_path": str(folder / "kohya.toml"), "overrides": {"concepts": [{"path": str(folder / "pictures")}]}}
    answer = trainer().post("/api/training/start", body, format="json")
    assert answer.status_code == 200, answer.json()
    frozen = Run.objects.get().config
    assert (frozen["batch_size"], frozen["lora_rank"], frozen["epochs"]) == (3, 8, 5)
    assert "sd-scripts" in warned(answer.json())


def test_a_folder_or_broken_toml_as_config_path_is_refused_in_a_sentence(folder):
    (folder / "x.toml").write_text("a = [")
    api = trainer()
    for name, what in (("x.toml", "not valid TOML"), ("", "not a file")):
        answer = api.post("/api/training/start", {"config_path": str(folder / name)}, format="json")
        assert answer.status_code == 400 and what in answer.json()["detail"]


@pytest.mark.parametrize(
    "name, content",
    [("k.toml", KOHYA), ("k.json", json.dumps({"pretrained_model_name_or_path": "owner/model", "network_dim": 8}))],
)
def test_an_import_takes_files_of_other_trainers(name, content):
    upload = SimpleUploadedFile(name, content.encode("utf-8-sig"))
    body = trainer().post("/api/presets/import/", {"file": upload}, format="multipart").json()
    assert Preset.objects.get(name="k").config["lora_rank"] == 8
    assert any("sd-scripts" in note for note in body["notes"][0]["notes"])


def test_an_import_leaves_out_paths_of_another_machine_and_says_so(folder):
    text = 'pretrained_model_name_or_path = "/somewhere/else.safetensors"\nnetwork_dim = 8\ntrain_batch_size = 2\n'
    upload = SimpleUploadedFile("k.toml", text.encode())
    body = trainer().post("/api/presets/import/", {"file": upload}, format="multipart").json()
    preset = Preset.objects.get(name="k")
    assert "base_model_name" not in preset.config and preset.config["lora_rank"] == 8
    assert any(note.startswith("base_model_name was left out") for note in body["notes"][0]["notes"])


def test_a_preset_is_saved_in_the_present_form():
    assert trainer().post("/api/config/save/mine", old(), format="json").status_code == 200
    assert Preset.objects.get().config["optimizer"]["beta1"] == 0.8


def test_the_current_config_is_replaced_by_an_old_one_in_the_present_form():
    body = trainer().put("/api/config/current", {"config": old()}, format="json").json()
    assert body["config"]["optimizer"]["beta1"] == 0.8 and "migrated" in warned(body)
    assert "optimizer_beta1" not in Draft.objects.get().config


@pytest.mark.parametrize("text", ["﻿" + json.dumps(old()), KOHYA, "train_batch_size: 3\nnetwork_dim: 8\n"])
def test_pasted_text_may_be_old_or_of_another_trainer(text):
    config = json_text.read_with_notes(text).config
    assert configs.check_form(config) == [] or "base_model_name" in str(configs.check_form(config))
    assert config.get("lora_rank") == 8 or config["optimizer"]["beta1"] == 0.8


def test_pasted_text_that_is_nothing_is_refused_with_its_line():
    with pytest.raises(BadInput, match="Line 2 is not valid JSON"):
        json_text.read_with_notes('{\n"a": }')


@pytest.mark.parametrize("lie", [{"__version": 0, "optimizer": "ADAMW", "unet": 3, "train_unet": True}])
def test_a_config_that_lies_about_its_version_is_refused_in_a_sentence(lie):
    answer = trainer().post("/api/config/validate?preflight=false", lie, format="json")
    assert (answer.status_code, "export it again" in answer.json()["detail"]) == (400, True)


def test_all_errors_come_at_once(config):
    wrong = config | {"epochs": "many", "batch_size": 0, "learning_rate": -1, "optimizer": {"beta1": 7, "eps": []}}
    wrong |= {"concepts": [{"path": 5}, {"balancing": -1}], "sample_definition_file_name": 3}
    body = trainer().post("/api/config/validate?preflight=false", wrong, format="json").json()
    fields = {one["field"] for one in body["errors"]}
    assert fields >= {"epochs", "batch_size", "learning_rate", "optimizer.beta1", "optimizer.eps", "concepts.0.path"}
    assert fields >= {"concepts.1.balancing", "sample_definition_file_name"}


def test_a_preset_with_several_errors_names_them_all():
    answer = trainer().post("/api/config/save/x", {"epochs": "many", "batch_size": 0}, format="json")
    assert set(answer.json()["errors"]) == {"epochs", "batch_size"}


FIELDS = {
    **{name: {name: "{}"} for name in ("base_model_name", "lora_model_name", "output_model_destination", "cache_dir")},
    **{name: {name: "{}"} for name in ("concept_file_name", "sample_definition_file_name")},
    "path": {"concepts": [{"path": "{}"}]},
    "prompt_path": {"concepts": [{"path": "x", "text": {"prompt_source": "concept", "prompt_path": "{}"}}]},
}


@pytest.mark.parametrize(
    "path", ["/" + "a" * 5000, "a/" * 3000, "~nobody-at-all/x", "owner/" + "m" * 400, "\u20ac" * 300]
)
def test_a_path_that_no_file_can_have_is_an_error_and_no_failure(settings, path):
    settings.ALLOWED_ROOTS = [Path("/")]
    for field, config in FIELDS.items():
        named = json.loads(json.dumps(config).replace("{}", path))
        problems = configs.validate(named | {"prevent_overwrites": True})
        assert any(problem.is_error for problem in problems), field


@pytest.mark.parametrize("field", ["concept_file_name", "sample_definition_file_name"])
def test_a_pipe_in_place_of_a_list_is_an_error_at_once(settings, tmp_path, field):
    settings.ALLOWED_ROOTS = [tmp_path]
    os.mkfifo(tmp_path / "pipe")
    problems = configs.validate({field: str(tmp_path / "pipe")})
    assert any(problem.field == field and "not a file" in problem.message for problem in problems)
