"""Presets from files: OneTrainer's of every version, folders, zips, and malicious files."""

from __future__ import annotations

import io
import json
import stat
import zipfile

import pytest
from django.core.files.uploadedfile import SimpleUploadedFile
from django.core.management import CommandError, call_command

from engine.builtin.config.optimizer import OPTIMIZER_DEFAULTS
from engine.builtin.config.train_config import TrainConfig
from presets.config import configs
from presets.config.migrate import migrate
from presets.library import exchange
from presets.models import Preset
from tests.api import trainer
from tests.making import make_preset
from web import archives
from web.errors import BadInput

pytestmark = pytest.mark.django_db
FLUX = {
    "model_type": "FLUX_DEV_1",
    "training_method": "LORA",
    "transformer": {"train": True, "weight_dtype": "NFLOAT_4"},
    "output_model_format": "DIFFUSERS_LORA",
    "weight_dtype": "FLOAT_32",
}


def zipped(files, **entry):
    """A zip with these files, each entry with the given attributes."""
    packed = io.BytesIO()
    with zipfile.ZipFile(packed, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, content in files.items():
            info = zipfile.ZipInfo(name)
            info.compress_type = zipfile.ZIP_DEFLATED
            for key, value in entry.items():
                setattr(info, key, value)
            archive.writestr(info, content if isinstance(content, bytes) else json.dumps(content))
    return packed.getvalue()


def taken(name, config):
    (found,) = exchange.from_file(name, json.dumps(config).encode())
    return found


def send(content, name="presets.zip", api=None):
    upload = SimpleUploadedFile(name, content)
    return (api or trainer()).post("/api/presets/import/", {"file": upload}, format="multipart")


# -- OneTrainer's files --------------------------------------------------------------------------------------------


def test_a_preset_for_another_engine_is_imported_without_a_warning_and_without_loss():
    found = taken("#flux LoRA.json", FLUX)
    assert found.notes == [] and found.config == FLUX
    saved = exchange.save_imported(found, None)
    whole = configs.full_config("builtin", saved.config)
    assert all(configs.merge(whole, FLUX)[key] == whole[key] for key in FLUX)


def test_the_api_says_which_engine_cannot_train_a_preset():
    preset = make_preset("Flux", FLUX)
    (builtin, *_) = trainer().get(f"/api/presets/{preset.pk}/").json()["engines"]
    assert builtin["name"] == "builtin" and builtin["why_not"].startswith("model_type: ")


def test_an_optimizers_defaults_are_read_from_the_file_as_onetrainer_reads_them():
    own = {"__version": 0, "optimizer": "ADAFACTOR", "eps": 1e-20, "beta1": None, "weight_decay": 0.1}
    found = taken("x.json", {"optimizer": {"optimizer": "ADAFACTOR"}, "optimizer_defaults": {"ADAFACTOR": own}})
    assert found.config["optimizer"] == {"optimizer": "ADAFACTOR", "eps": 1e-20, "beta1": None, "weight_decay": 0.1}
    assert TrainConfig.from_dict(found.config).optimizer.decay_rate == OPTIMIZER_DEFAULTS["ADAFACTOR"]["decay_rate"]


def test_unknown_fields_are_kept_and_named():
    found = taken("x.json", {"batch_size": 2, "brand_new": {"inner": 1}})
    assert found.config["brand_new"] == {"inner": 1}
    assert any("brand_new" in note for note in found.notes)
    assert exchange.save_imported(found, None).config["brand_new"] == {"inner": 1}


def test_tokens_are_left_out_with_a_message():
    found = taken("x.json", {"batch_size": 2, "secrets": {"huggingface_token": "hf_secret"}})
    assert "hf_secret" not in json.dumps(found.config) and any("tokens" in note for note in found.notes)


def test_a_config_of_a_newer_version_is_imported_with_a_message():
    assert any("newer version (99)" in note for note in taken("x.json", {"__version": 99, "epochs": 3}).notes)


@pytest.mark.parametrize(
    "old, new",
    [
        ({"__version": 0, "optimizer": "ADAMW", "optimizer_beta1": 0.8}, {"optimizer.beta1": 0.8}),
        ({"train_unet": False, "unet_learning_rate": 1e-5}, {"unet.train": False, "unet.learning_rate": 1e-5}),
        (
            {"__version": 1, "train_text_encoder_epochs": 30},
            {"text_encoder.stop_training_after": 30, "text_encoder.stop_training_after_unit": "EPOCH"},
        ),
        ({"__version": 1, "vae_model_name": "x", "prior_weight_dtype": "FLOAT_16"}, {"vae.model_name": "x"}),
        ({"__version": 1, "token_count": 4, "embedding_model_names": ["e"]}, {"embedding.model_name": "e"}),
        ({"__version": 2, "min_snr_gamma": 5}, {"loss_weight_fn": "MIN_SNR_GAMMA", "loss_weight_strength": 5}),
        ({"__version": 2, "model_type": "WUERSTCHEN_2"}, {"loss_weight_fn": "P2"}),
        ({"__version": 3, "noising_weight": 2, "noising_bias": 0.7}, {"timestep_distribution": "SIGMOID"}),
        ({"__version": 3}, {"timestep_distribution": "UNIFORM", "noising_bias": 0.0}),
        ({"__version": 4, "gradient_checkpointing": False, "unet": {}}, {"unet.gradient_checkpointing": False}),
        ({"__version": 5, "save_after": 9, "save_after_unit": "STEP"}, {"save_every": 9, "save_every_unit": "STEP"}),
        ({"__version": 6, "lora_layer_preset": None}, {"layer_filter_preset": "full"}),
        ({"__version": 7, "lora_layers": "attn", "lora_layers_regex": True}, {"layer_filter": "attn"}),
        ({"__version": 8, "model_type": "FLUX_DEV_1", "prior": {"train": False}}, {"transformer.train": False}),
        (
            {"__version": 9, "weight_dtype": "FLOAT_16", "vae": {"weight_dtype": "NONE"}},
            {"vae.weight_dtype": "FLOAT_16"},
        ),
        (
            {"__version": 10, "gradient_checkpointing": "CPU_OFFLOADED", "layer_offload_fraction": 0.5, "unet": {}},
            {"unet.offload_fraction": 0.5, "unet.activation_offloading": True},
        ),
        (
            {"__version": 10, "output_model_format": "SAFETENSORS", "training_method": "LORA"},
            {"output_model_format": "LEGACY_LORA"},
        ),
        ({"__version": 10, "concepts": [{"__version": 0, "repeats": 3}]}, {"concepts.0.balancing": 3}),
        (
            {"__version": 10, "concepts": [{"__version": 1, "validation_concept": True}]},
            {"concepts.0.type": "VALIDATION"},
        ),
    ],
)
def test_an_older_file_is_migrated_to_the_present_names(old, new):
    leaves = dict(configs.leaves(migrate(old)))
    assert {path: leaves.get(path) for path in new} == new


def test_a_preset_without_a_version_is_not_migrated():
    assert migrate({"gradient_checkpointing": "x", "noising_weight": 1.0}) == {
        "gradient_checkpointing": "x",
        "noising_weight": 1.0,
    }


# -- exports -----------------------------------------------------------------------------------------------------


def test_an_export_for_onetrainer_is_imported_unchanged():
    optimizer = {"optimizer": "PRODIGY", "d_coef": 0.5}
    config = {**FLUX, "seed": 4, "optimizer": optimizer, "concepts": [{"name": "x"}]}
    file = exchange.to_onetrainer(config)
    assert file["__version"] == 11 and "seed" not in file
    assert file["optimizer_defaults"]["PRODIGY"]["d_coef"] == 0.5
    assert file["optimizer"]["d0"] == OPTIMIZER_DEFAULTS["PRODIGY"]["d0"]
    back = taken("x.json", file).config
    expected = configs.freeze("builtin", {key: value for key, value in config.items() if key != "seed"})
    assert TrainConfig.from_dict(back).to_dict()["optimizer"] == TrainConfig.from_dict(expected).to_dict()["optimizer"]
    assert {key: back[key] for key in FLUX} == FLUX


def test_the_api_exports_for_onetrainer():
    preset = make_preset("SDXL/Mine", {"batch_size": 3})
    answer = trainer().get(f"/api/presets/{preset.pk}/export/?form=onetrainer")
    assert answer.json() == {"__version": 11, "batch_size": 3}
    assert "Mine.json" in answer["Content-Disposition"]
    assert trainer("bob").get(f"/api/presets/{preset.pk}/export/?form=x").status_code == 400


def test_all_presets_are_exported_in_onetrainers_folders(client):
    client.force_login(trainer().user)
    make_preset("SDXL/Mine", {"batch_size": 3})
    packed = zipfile.ZipFile(io.BytesIO(client.get("/presets/export.zip").content))
    assert json.loads(packed.read("SDXL/Mine.json")) == {"__version": 11, "batch_size": 3}


# -- folders and zips ----------------------------------------------------------------------------------------------


def test_a_zip_imports_all_presets_into_their_folders():
    answer = send(zipped({"training_presets/SDXL/#a.json": {"epochs": 3}, "SD3/b.json": {}, "readme.txt": b"x"}))
    assert answer.status_code == 200, answer.json()
    assert sorted(Preset.objects.values_list("name", flat=True)) == ["SD3/b", "SDXL/a"]


def test_several_files_are_imported_at_once_into_one_folder():
    files = [SimpleUploadedFile(f"{name}.json", b"{}") for name in "ab"]
    answer = trainer().post("/api/presets/import/?folder=Mine", {"file": files}, format="multipart")
    assert [preset["name"] for preset in answer.json()["presets"]] == ["Mine/a", "Mine/b"]


def test_a_zip_with_a_wrong_file_is_refused_as_a_whole():
    answer = send(zipped({"a.json": {"epochs": 3}, "b.json": {"epochs": "many"}}))
    assert answer.status_code == 400 and "b.json" in answer.json()["detail"] and not Preset.objects.exists()


@pytest.mark.parametrize("name", ["../a.json", "/etc/a.json", "x/../../a.json", "..\\a.json", "C:\\a.json"])
def test_a_zip_with_a_path_outside_is_refused(name):
    answer = send(zipped({name: {}}))
    assert answer.status_code == 400 and "a path outside" in answer.json()["detail"]
    assert not Preset.objects.exists()


def test_a_zip_bomb_is_refused_before_it_is_unpacked():
    """Its content is damaged, which would be told were it unpacked first."""
    bomb = bytearray(zipped({"a.json": b" " * 4_900_000}))
    bomb[100:200] = b"\xff" * 100
    answer = send(bytes(bomb))
    assert answer.status_code == 400 and "too large" in answer.json()["detail"]


def test_a_zip_of_very_many_files_is_refused():
    assert "at most" in send(zipped({f"{n}.json": {} for n in range(2_001)})).json()["detail"]


def test_a_zip_with_a_link_is_refused():
    answer = send(zipped({"a.json": b"/etc/passwd"}, external_attr=(stat.S_IFLNK | 0o777) << 16))
    assert answer.status_code == 400 and "link" in answer.json()["detail"]


def test_a_damaged_zip_is_refused():
    assert "not a readable zip file" in send(zipped({"a.json": {}})[:-30]).json()["detail"]


def test_a_zip_without_presets_is_refused():
    assert "no JSON" in send(zipped({"a.txt": b"x"})).json()["detail"]


# -- bad input -----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "content",
    [b"{", b"[]", b'{"epochs": NaN}', b'{"epochs": Infinity}', b"\xff\xfe", b'{"optimizer": []}', b'{"concepts": {}}'],
)
def test_a_file_that_is_not_a_config_is_refused_with_its_name(content):
    answer = send(content, "mine.json")
    assert answer.status_code == 400 and "mine.json" in answer.json()["detail"]
    assert not Preset.objects.exists()


@pytest.mark.parametrize(
    "config, field",
    [
        ({"concepts": [{}] * 10_000}, "concepts"),
        ({"layer_filter": "x" * 1_000_000}, "layer_filter"),
        ({"concepts": [{"path": "/etc"}]}, "concepts.0.path"),
        ({"output_model_destination": "/etc/x.safetensors"}, "output_model_destination"),
        ({"epochs": 0}, "epochs"),
        ({"model_type": "SDXXL"}, "model_type"),
        ({"unet": {"train": "yes"}}, "unet.train"),
    ],
)
def test_an_impossible_value_is_refused_by_field(config, field):
    api = trainer()
    for call in (
        lambda: api.post("/api/presets/", {"name": "Mine", "config": config}),
        lambda: api.post("/api/config/save/Mine", config),
        lambda: send(json.dumps(config).encode(), "mine.json", api),
    ):
        answer = call()
        assert answer.status_code == 400 and field in answer.json()["errors"], answer.json()
    assert not Preset.objects.exists()


def test_endless_nesting_is_refused():
    config = {}
    for _ in range(20):
        config = {"optimizer": config}
    assert configs.check_form(config)[0].message.startswith("is nested")


# -- existing names ----------------------------------------------------------------------------------


def test_an_own_preset_gets_a_new_version_and_the_same_file_adds_none():
    api = trainer()
    for epochs, version in ((3, 1), (4, 2), (4, 2)):
        send(json.dumps({"epochs": epochs}).encode(), "mine.json", api)
        assert Preset.objects.get().version == version


@pytest.mark.parametrize("source", ["shipped", "onetrainer"])
def test_a_preset_that_comes_with_a_program_is_never_replaced(source):
    preset = make_preset("Theirs", {"epochs": 3}, source=source)
    api = trainer()
    address = f"/api/presets/{preset.pk}/"
    for answer in (
        send(b'{"epochs": 5}', "Theirs.json", api),
        api.patch(address, {"config": {"epochs": 5}}),
        api.post("/api/config/save/Theirs", {"epochs": 5}),
        api.delete(address),
        api.post(f"{address}revert/", {"version": 1}),
    ):
        assert answer.status_code == 400 and "comes with the program" in answer.json()["detail"]
    preset.refresh_from_db()
    assert (preset.config, preset.version) == ({"epochs": 3}, 1)


def test_an_archived_preset_is_restored_by_importing_its_file():
    make_preset("mine", {"epochs": 3}, archived=True)
    send(b'{"epochs": 3}', "mine.json")
    assert not Preset.objects.get().archived


# -- the command ---------------------------------------------------------------------------------------------------


def test_the_command_imports_a_folder_with_its_subfolders(tmp_path, capsys):
    (tmp_path / "SDXL").mkdir()
    (tmp_path / "SDXL" / "#a.json").write_text(json.dumps({"epochs": 3}))
    (tmp_path / "#.json").write_text("{}")
    call_command("import_presets", str(tmp_path))
    assert list(Preset.objects.values_list("name", flat=True)) == ["SDXL/a"]
    assert "Imported 1 presets." in capsys.readouterr().out


def test_the_command_can_list_presets_without_importing_them(tmp_path):
    (tmp_path / "a.json").write_text("{}")
    call_command("import_presets", str(tmp_path / "a.json"), "--dry-run")
    assert not Preset.objects.exists()


def test_the_command_names_the_problem(tmp_path):
    (tmp_path / "a.json").write_text("nonsense")
    with pytest.raises(CommandError, match="a.json is not valid JSON"):
        call_command("import_presets", str(tmp_path / "a.json"))
    with pytest.raises(CommandError, match="cannot be read"):
        call_command("import_presets", str(tmp_path / "none.json"))


def test_a_file_that_grows_while_it_is_unpacked_is_refused():
    archive = zipfile.ZipFile(io.BytesIO(zipped({"a.json": b"1234"})))
    with pytest.raises(BadInput, match="larger than its table says"):
        archives.read_entry(archive, archive.infolist()[0], most=3)


def test_a_single_preset_keeps_its_own_name_and_is_refused_without_a_config():
    api = trainer()
    assert api.post("/api/presets/import/", {"name": "Family/mine", "config": {"epochs": 3}}).status_code == 200
    assert Preset.objects.get().name == "Family/mine" and Preset.objects.get().config == {"epochs": 3}
    assert api.post("/api/presets/import/", {"name": "other", "config": [1]}).status_code == 400
    assert Preset.objects.count() == 1
