"""The check of a config on the machine that trains it: model, pictures, destination, memory, disk."""

import json
import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
from PIL import Image

from engine.builtin.config.train_config import TrainConfig
from engine.builtin.data.pictures import PictureIndex
from engine.builtin.estimates import memory
from engine.builtin.families.model_files import NotAModel, read_model, read_shapes
from engine.builtin.preflight import preflight

DEMO = Path("engine/demo")
GPU = {"name": "a card", "memory_total_gb": 24.0}


@pytest.fixture
def config(tmp_path):
    """The demo's config, with a copy of its pictures that a test may damage."""
    shutil.copytree(DEMO / "dataset", tmp_path / "pictures")
    settings = json.loads((DEMO / "config.json").read_text())
    return settings | {
        "base_model_name": str((DEMO / "model").absolute()),
        "concepts": [{"path": str(tmp_path / "pictures")}],
        "workspace_dir": str(tmp_path / "workspace"),
        "cache_dir": str(tmp_path / "cache"),
        "output_model_destination": str(tmp_path / "out" / "stars.safetensors"),
    }


def found(config, severity="error", gpus=()):
    result = preflight(config, list(gpus))
    return {problem.field: problem.message for problem in result.problems if problem.severity == severity}


def test_the_demo_has_no_problems(config):
    result = preflight(config, [])
    assert [problem for problem in result.problems if problem.is_error] == []
    assert result.estimate["batches"] == 2
    assert set(result.estimate["memory"]["parts"]) >= {"weights", "gradients", "optimizer", "activations"}
    assert result.estimate["disk"]["total"] == sum(result.estimate["disk"]["parts"].values())


def test_a_missing_base_model_is_named(config, tmp_path):
    assert "does not exist" in found(config | {"base_model_name": str(tmp_path / "none")})["base_model_name"]


def test_a_hub_model_is_a_warning_online_and_an_error_offline(config, monkeypatch, tmp_path):
    monkeypatch.setenv("HF_HUB_CACHE", str(tmp_path / "hub"))
    monkeypatch.delenv("HF_HUB_OFFLINE", raising=False)
    hub = config | {"base_model_name": "owner/model"}
    assert "waits until it is fetched" in found(hub, "warning")["base_model_name"]
    assert "offline_mode" in found(hub | {"offline_mode": True})["base_model_name"]


def test_a_hub_model_in_the_cache_is_read(config, monkeypatch, tmp_path):
    monkeypatch.setenv("HF_HUB_CACHE", str(tmp_path / "hub"))
    folder = tmp_path / "hub" / "models--owner--model"
    shutil.copytree(DEMO / "model", folder / "snapshots" / "abc")
    (folder / "refs").mkdir()
    (folder / "refs" / "main").write_text("abc")
    assert found(config | {"base_model_name": "owner/model", "offline_mode": True}) == {}


def test_a_model_of_another_type_is_refused(config, tmp_path):
    model = tmp_path / "model"
    shutil.copytree(DEMO / "model", model)
    unet = json.loads((model / "unet" / "config.json").read_text())
    (model / "unet" / "config.json").write_text(json.dumps(unet | {"cross_attention_dim": 1024}))
    assert "Stable Diffusion 2" in found(config | {"base_model_name": str(model)})["model_type"]
    (model / "unet" / "config.json").write_text(json.dumps(unet | {"in_channels": 9}))
    assert "inpainting" in found(config | {"base_model_name": str(model)})["model_type"]


def test_a_config_that_forces_another_prediction_than_the_models_gets_a_warning(config, tmp_path):
    assert (
        "predicts velocity" in found(config | {"force_epsilon_prediction": True}, "warning")["force_epsilon_prediction"]
    )
    assert "force_v_prediction" not in found(config | {"force_v_prediction": True}, "warning")
    model = tmp_path / "model"
    shutil.copytree(DEMO / "model", model)
    scheduler = model / "scheduler" / "scheduler_config.json"
    scheduler.write_text(scheduler.read_text().replace("v_prediction", "epsilon"))
    of_noise = config | {"base_model_name": str(model)}
    assert "predicts noise" in found(of_noise | {"force_v_prediction": True}, "warning")["force_v_prediction"]
    assert "force_epsilon_prediction" not in found(of_noise | {"force_epsilon_prediction": True}, "warning")


def test_a_model_whose_weights_are_cut_off_is_refused(config, tmp_path):
    model = tmp_path / "model"
    shutil.copytree(DEMO / "model", model)
    weights = model / "unet" / "diffusion_pytorch_model.safetensors"
    os.truncate(weights, weights.stat().st_size - 10)
    assert "cut off: 10 bytes" in found(config | {"base_model_name": str(model)})["base_model_name"]


def test_a_model_with_pickles_alone_is_refused(config, tmp_path):
    model = tmp_path / "model"
    shutil.copytree(DEMO / "model", model)
    (model / "unet" / "diffusion_pytorch_model.safetensors").rename(model / "unet" / "diffusion_pytorch_model.bin")
    assert ".bin" in found(config | {"base_model_name": str(model)})["base_model_name"]


@pytest.mark.parametrize("content", [b"", b"\xff" * 64, b"\x02\x00\x00\x00\x00\x00\x00\x00{}"[:9]])
def test_a_file_that_is_not_safetensors_is_named(tmp_path, content):
    (tmp_path / "x.safetensors").write_bytes(content)
    with pytest.raises(NotAModel):
        read_shapes(tmp_path / "x.safetensors")


def write_header(path, shapes):
    """A safetensors file with these shapes and no more weights than its size needs."""
    header, end = {}, 0
    for name, shape in shapes.items():
        size = 2
        for side in shape:
            size *= side
        header[name] = {"dtype": "F16", "shape": list(shape), "data_offsets": [end, end + size]}
        end += size
    text = json.dumps(header).encode()
    with path.open("wb") as file:
        file.write(len(text).to_bytes(8, "little") + text)
        file.truncate(8 + len(text) + end)
    return path


UNET = "model.diffusion_model."
ATTENTION = f"{UNET}input_blocks.1.1.transformer_blocks.0.attn2.to_k.weight"


@pytest.mark.parametrize(
    "shapes, kind, inpainting",
    [
        ({ATTENTION: (320, 768)}, "Stable Diffusion 1", False),
        ({ATTENTION: (320, 1024), f"{UNET}input_blocks.0.0.weight": (320, 9, 3, 3)}, "Stable Diffusion 2", True),
        ({ATTENTION: (640, 2048), "conditioner.embedders.0.x": (1, 1)}, "Stable Diffusion XL", False),
        ({f"{UNET}joint_blocks.0.x": (1, 1)}, "Stable Diffusion 3", False),
        ({"double_blocks.0.img_attn.qkv.weight": (1, 1)}, "Flux", False),
    ],
)
def test_the_architecture_of_a_single_file_is_read_from_its_header(tmp_path, shapes, kind, inpainting):
    model = read_model(write_header(tmp_path / "model.safetensors", shapes))
    assert (model.kind, model.inpainting) == (kind, inpainting)


def test_a_lora_is_not_a_base_model(tmp_path):
    with pytest.raises(NotAModel, match="LoRA"):
        read_model(write_header(tmp_path / "x.safetensors", {"lora_unet_down.lora_down.weight": (4, 320)}))


def test_a_missing_concept_folder_is_named(config, tmp_path):
    config["concepts"] = [{"path": str(tmp_path / "none")}]
    assert "does not exist" in found(config)["concepts.0.path"]


def test_an_empty_concept_folder_is_named(config, tmp_path):
    (tmp_path / "empty").mkdir()
    config["concepts"] = [{"path": str(tmp_path / "empty")}]
    assert "no pictures" in found(config)["concepts.0.path"]


def test_fewer_pictures_than_a_batch_are_an_error(config):
    assert "do not fill a batch" in found(config | {"batch_size": 17})["batch_size"]


@pytest.mark.parametrize("content", [b"", b"no picture", None])
def test_a_picture_that_cannot_be_decoded_is_named(config, tmp_path, content):
    picture = tmp_path / "pictures" / "star-03.png"
    picture.write_bytes(picture.read_bytes()[:200] if content is None else content)
    assert "star-03.png" in found(config)["concepts.0.path"]


def test_a_picture_without_a_caption_is_named(config, tmp_path):
    (tmp_path / "pictures" / "star-05.txt").unlink()
    assert "star-05.png" in found(config, "warning")["concepts.0.path"]


def test_a_duplicate_picture_is_a_warning(config, tmp_path):
    shutil.copy(tmp_path / "pictures" / "star-01.png", tmp_path / "pictures" / "copy.png")
    shutil.copy(tmp_path / "pictures" / "star-01.txt", tmp_path / "pictures" / "copy.txt")
    assert "same pixels" in found(config, "warning")["concepts"]


def test_a_folder_in_two_concepts_is_a_warning(config):
    config["concepts"] = [*config["concepts"], dict(config["concepts"][0])]
    assert "trained by several concepts" in found(config, "warning")["concepts"]


@pytest.mark.parametrize(
    "warmup, accumulation, warned", [(1, 1, True), (0.5, 1, False), (10**6, 1, True), (12, 4, False)]
)
def test_a_warm_up_that_takes_the_whole_run_is_a_warning(config, warmup, accumulation, warned):
    """Up to 1 it is a share of the run, and above that it counts the batches of an accumulation, not its updates."""
    config |= {"learning_rate_warmup_steps": warmup, "gradient_accumulation_steps": accumulation}
    config |= {"learning_rate_scheduler": "CONSTANT", "batch_size": 1, "epochs": 1}
    assert ("learning_rate_warmup_steps" in found(config, "warning")) == warned


def test_a_format_that_does_not_fit_the_method_is_refused(config):
    assert "output_model_format" in found(config | {"output_model_format": "DIFFUSERS"})


def test_a_destination_that_cannot_be_written_is_refused(config):
    destination = "/proc/out/stars.safetensors"
    assert "cannot be written" in found(config | {"output_model_destination": destination})["output_model_destination"]


def test_an_existing_model_is_kept_if_the_config_says_so(config, tmp_path):
    (tmp_path / "out").mkdir()
    (tmp_path / "out" / "stars.safetensors").touch()
    assert "replaced" in found(config, "warning")["output_model_destination"]
    assert "already" in found(config | {"prevent_overwrites": True})["output_model_destination"]


def test_an_average_that_would_never_change_is_refused(config):
    short = config | {"epochs": 2, "ema_update_step_interval": 5}
    assert "4 times" in found(short)["ema_update_step_interval"]


def test_steps_that_never_change_the_weights_are_refused(config):
    assert (
        "never change" in found(config | {"epochs": 2, "gradient_accumulation_steps": 8})["gradient_accumulation_steps"]
    )


def test_steps_that_fill_no_accumulation_at_the_end_are_a_warning(config):
    warned = found(config | {"epochs": 3, "gradient_accumulation_steps": 4}, "warning")
    message = warned["gradient_accumulation_steps"]
    assert "the last 2 of the run's 6 steps fill no accumulation of 4" in message


def test_a_run_that_needs_more_memory_than_the_gpu_has_is_refused_with_a_fix(config, tmp_path):
    big = config | {"train_device": "cuda", "batch_size": 8, "resolution": "2048"}
    message = found(big, gpus=[GPU | {"memory_total_gb": 1.0}])["batch_size"]
    assert "GB of GPU memory" in message and "lower batch_size" in message


def test_a_run_that_writes_more_than_the_disk_has_is_refused(config, monkeypatch):
    monkeypatch.setattr("shutil.disk_usage", lambda path: shutil._ntuple_diskusage(10**9, 10**9, 1000))
    assert "the run writes about" in found(config)["backup_after"]


def test_a_checked_picture_is_not_read_again(config, tmp_path, monkeypatch):
    preflight(config, [])
    monkeypatch.setattr("engine.builtin.data.pictures.read_facts", lambda path: pytest.fail(f"{path} was read again"))
    assert found(config) == {}


def test_a_changed_picture_is_read_again(config, tmp_path):
    preflight(config, [])
    (tmp_path / "pictures" / "star-02.png").write_bytes(b"no picture any more")
    assert "star-02.png" in found(config)["concepts.0.path"]


def test_the_training_reuses_the_pictures_that_the_preflight_read(config, tmp_path):
    preflight(config, [])
    index = PictureIndex(Path(config["cache_dir"]))
    assert len(index.known) == 16


def test_the_check_reports_its_progress(config):
    said = []
    preflight(config, [], lambda *state: said.append(state))
    stages = list(dict.fromkeys(stage for stage, *_ in said))
    assert stages == ["the base model", "the weights of the base model", "pictures and captions", "memory and disk"]
    assert ("pictures and captions", 16, 16) in said


def test_the_check_runs_as_a_process_and_without_torch(config, tmp_path):
    (tmp_path / "spec.json").write_text(json.dumps({"config": config, "gpus": []}))
    code = (
        "import sys; from pathlib import Path; from engine.preflight import main; main(Path(sys.argv[1]));"
        "sys.exit('torch' in sys.modules)"
    )
    done = subprocess.run([sys.executable, "-c", code, tmp_path / "spec.json"], capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    result = json.loads(done.stdout.splitlines()[-1])
    assert result["estimate"]["memory"]["total"] > 0


SD15 = {"train_device": "cuda", "train_dtype": "BFLOAT_16", "batch_size": 1, "resolution": "512"}
HALVES = {part: {"weight_dtype": "BFLOAT_16"} for part in ("unet", "text_encoder", "vae")}


def gigabytes(values):
    return memory.estimate_memory(TrainConfig.from_dict(values), None, on_gpu=True).total / memory.GIB


def test_settings_that_save_memory_lower_the_estimate():
    lora = SD15 | HALVES | {"training_method": "LORA"}
    base = gigabytes(lora)
    assert gigabytes(lora | {"batch_size": 4}) > base
    assert gigabytes(lora | {"resolution": "768"}) > base
    assert gigabytes(lora | {"unet": HALVES["unet"] | {"gradient_checkpointing": False}}) > base
    assert gigabytes(lora | {"train_dtype": "FLOAT_32"}) > base
    fine = SD15 | {"training_method": "FINE_TUNE"}
    assert gigabytes(fine) > gigabytes(fine | {"optimizer": {"optimizer": "ADAFACTOR"}}) > base
    assert gigabytes(fine | {"ema": "GPU"}) > gigabytes(fine | {"ema": "CPU"})


def test_the_estimates_of_stable_diffusion_are_of_the_known_size():
    """A LoRA at 512 pixels is known to need about 4 to 6 GB, a full fine-tune with AdamW 14 to 20."""
    assert 3 < gigabytes(SD15 | HALVES | {"training_method": "LORA"}) < 6
    assert 14 < gigabytes(SD15 | {"training_method": "FINE_TUNE"}) < 21


def test_a_picture_of_many_pixels_is_checked_too(config, tmp_path):
    Image.new("RGB", (5000, 3000)).save(tmp_path / "pictures" / "wide.png")
    (tmp_path / "pictures" / "wide.txt").write_text("wide")
    assert "wide.png" in found(config | {"resolution": "512"}, "warning")["batch_size"]
