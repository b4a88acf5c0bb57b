"""The built-in trainer, really run on a tiny model."""

import json
import subprocess
import sys
import threading

import pytest
import torch
from diffusers import StableDiffusionPipeline
from PIL import Image
from safetensors import safe_open

from engine.builtin.families.loading import load_family
from engine.builtin.families.stable_diffusion import StableDiffusion
from engine.interface.commands import Command
from engine.interface.errors import BadData, MissingModel, NotFinite
from engine.interface.free_space import Backups
from tests.engine.tiny import Training, config_for, make_model, make_pictures, sample
from tests.waiting import wait_for


@pytest.fixture(scope="module")
def model(tmp_path_factory):
    return make_model(tmp_path_factory.mktemp("model"), levels=1)


@pytest.fixture(scope="module")
def deep_model(tmp_path_factory):
    """One that has layers of every kind, for tests of the files that are written."""
    return make_model(tmp_path_factory.mktemp("deep"))


@pytest.fixture(scope="module")
def plain(model, tmp_path_factory):
    """One finished training, shared by the tests that only read its results."""
    folder = tmp_path_factory.mktemp("plain")
    return Training(model, make_pictures(folder / "pictures"), folder / "run").run()


@pytest.fixture
def pictures(tmp_path):
    return make_pictures(tmp_path / "pictures")


@pytest.fixture
def training(model, pictures, tmp_path):
    def make(name="run", resume_from=None, base=model, **changes):
        return Training(base, pictures, tmp_path / name, resume_from, **changes)

    return make


def test_it_trains_each_step_once_and_writes_the_model(plain):
    assert sorted(plain.recorder.losses) == [0, 1, 2, 3, 4, 5]
    assert plain.artifacts("model")[0].is_file()


def test_the_peak_of_memory_is_reported_with_each_loss(plain):
    metrics = plain.recorder.of("on_metrics")
    peaks = [values["peak_memory_gb"] for _, values in metrics]
    assert peaks == sorted(peaks) and 0 <= peaks[0] < 64


def test_progress_counts_as_onetrainer_counts(plain):
    last, max_step, max_epoch = plain.recorder.of("on_update_train_progress")[-1]
    assert (max_step, max_epoch) == (3, 2)
    assert last.to_dict() == {"epoch": 2, "epoch_step": 0, "epoch_sample": 0, "global_step": 6}


def test_the_same_seed_gives_the_same_losses(training, plain):
    assert training().run().recorder.losses == plain.recorder.losses


def test_another_seed_gives_other_losses(training, plain):
    assert training(seed=7).run().recorder.losses != plain.recorder.losses


def test_sampling_does_not_change_the_losses(training, plain):
    with_samples = training(sample_after=1, sample_after_unit="STEP").run()
    assert len(with_samples.recorder.of("on_sample_default")) == 1 + 6  # before the first step, and after each
    assert with_samples.recorder.losses == plain.recorder.losses


RESUMED = {
    "plain": {},
    "with accumulation": {"gradient_accumulation_steps": 2},
    "with EMA": {"ema": "CPU", "ema_update_step_interval": 1},
    "with Prodigy and a cosine": {
        "optimizer": {"optimizer": "PRODIGY"},
        "learning_rate": 1.0,
        "learning_rate_scheduler": "COSINE",
    },
    "with dropout": {"dropout_probability": 0.5},
    "with a trained model": {
        "training_method": "FINE_TUNE",
        "output_model_format": "DIFFUSERS",
        "learning_rate": 1e-4,
    },
}


@pytest.mark.parametrize("changes", RESUMED.values(), ids=RESUMED)
def test_a_stopped_and_resumed_run_has_exactly_the_same_losses(training, changes):
    whole = training("whole", epochs=4, **changes).run()
    first = training("first", epochs=4, **changes)
    first.at_step(4, lambda: first.commands.stop(final_model=False))
    first.run()
    second = training("second", first.artifacts("backup")[0], epochs=4, **changes).run()
    assert sorted(first.recorder.losses) == [0, 1, 2, 3]
    assert first.recorder.losses | second.recorder.losses == whole.recorder.losses


def test_a_stop_ends_after_the_step_with_a_backup_and_the_model(training):
    run = training(epochs=50, backup_before_save=True)
    run.at_step(2, lambda: run.commands.put(Command("stop", id="s")))
    run.run()
    assert sorted(run.recorder.losses) == [0, 1]
    assert run.artifacts("backup") and run.artifacts("model")
    assert [command.id for command, _ in run.recorder.of("on_command_done")] == ["s"]


def test_a_stop_before_the_first_step_ends_without_a_model(training):
    run = training()
    run.commands.put(Command("stop", id="s"))
    run.run()
    assert not run.recorder.losses
    assert not run.recorder.of("on_artifact")
    assert [command.id for command, _ in run.recorder.of("on_command_done")] == ["s"]


def test_other_commands_work_during_a_pause_and_continue_ends_it(training):
    run = training(epochs=3)
    run.at_step(2, lambda: run.commands.put(Command("pause", id="p")))
    thread = threading.Thread(target=run.run)
    thread.start()
    wait_for(lambda: ("paused",) in run.recorder.of("on_phase"), what="the pause")
    run.commands.put(Command("sample_custom", sample("a blue square"), "c"))
    wait_for(lambda: run.recorder.of("on_sample_custom"), what="the sample")
    assert len(run.recorder.losses) == 2
    run.commands.put(Command("continue", id="go"))
    thread.join(60)
    assert len(run.recorder.losses) == 9
    assert [command.id for command, _ in run.recorder.of("on_command_done")] == ["p", "c", "go"]


def test_a_lora_changes_plain_diffusers_as_it_changed_the_training_model(training, deep_model):
    for form in ("KOHYA_LORA", "DIFFUSERS_LORA"):
        run = training(form, base=deep_model, output_model_format=form, text_encoder={"train": True}).run()
        torch.manual_seed(1)
        trained = run.trainer.session.family.pipeline
        plain = StableDiffusionPipeline.from_pretrained(deep_model)
        plain.load_lora_weights(str(run.artifacts("model")[0]))
        latents, time = torch.randn(1, 4, 8, 8), torch.tensor([500])
        tokens = plain.tokenizer("a red circle", return_tensors="pt").input_ids
        for part in (trained.unet, trained.text_encoder):
            part.eval()
        with torch.no_grad():
            expected = trained.unet(latents, time, trained.text_encoder(tokens)[0]).sample
            found = plain.unet(latents, time, plain.text_encoder(tokens)[0]).sample
            untouched = StableDiffusionPipeline.from_pretrained(deep_model)
            before = untouched.unet(latents, time, untouched.text_encoder(tokens)[0]).sample
        assert torch.allclose(found, expected, atol=1e-5), form
        assert not torch.allclose(found, before, atol=1e-3), form


def test_a_lora_file_names_its_settings(plain, model):
    path = plain.artifacts("model")[0]
    with safe_open(path, "pt") as file:
        facts = file.metadata()
    assert facts["ss_network_dim"] == "4"
    assert facts["ss_network_alpha"] == "2.0"
    assert facts["ss_steps"] == "6"
    assert facts["base_model"] == str(model)
    assert len(facts["config_sha256"]) == 64


def test_a_fine_tuned_model_loads_in_plain_diffusers(training, deep_model):
    run = training(
        base=deep_model, training_method="FINE_TUNE", output_model_format="DIFFUSERS", learning_rate=1e-4
    ).run()
    loaded = StableDiffusionPipeline.from_pretrained(run.artifacts("model")[0])
    trained = run.trainer.session.family.pipeline.unet
    assert torch.equal(loaded.unet.conv_in.weight, trained.conv_in.weight.detach())


@pytest.mark.parametrize("model_type", ["STABLE_DIFFUSION_15", "STABLE_DIFFUSION_21"])
def test_a_single_file_loads_in_plain_diffusers_and_as_a_base_model(training, deep_model, model_type):
    fine_tune = {"training_method": "FINE_TUNE", "learning_rate": 1e-4, "model_type": model_type}
    fine_tune |= {"output_model_format": "SAFETENSORS", "text_encoder": {"train": True}}
    run = training("one", base=deep_model, **fine_tune).run()
    path = run.artifacts("model")[0]
    loaded = StableDiffusionPipeline.from_single_file(str(path), config=str(deep_model), local_files_only=True)
    for name in ("unet", "vae", "text_encoder"):
        trained, found = (getattr(each, name).state_dict() for each in (run.trainer.session.family.pipeline, loaded))
        assert set(trained) == set(found)
        assert all(torch.equal(weight.detach().float(), found[key].float()) for key, weight in trained.items()), name
    again = training("two", base_model_name=str(path), offline_mode=True, model_type=model_type).run()
    assert len(again.recorder.losses) == 6


def test_a_file_that_is_not_a_model_is_named(training, tmp_path):
    (tmp_path / "broken.safetensors").write_bytes(b"no weights")
    with pytest.raises(MissingModel, match="broken.safetensors"):
        training(base_model_name=str(tmp_path / "broken.safetensors")).run()


def test_an_existing_final_model_is_kept_under_another_name(training, tmp_path):
    (tmp_path / "run").mkdir()
    (tmp_path / "run" / "model.safetensors").write_text("precious")
    training().run()
    assert (tmp_path / "run" / "model-before.safetensors").read_text() == "precious"


def test_a_sample_carries_its_settings(training):
    run = training(sample_after=3, sample_after_unit="STEP").run()
    ((output, *_), *_) = run.recorder.of("on_sample_default")
    text = Image.open(output.path).text["parameters"]
    assert '"prompt": "a red circle"' in text
    assert '"global_step": 0' in text


def test_a_sample_that_fails_is_a_warning_and_training_continues(training, tmp_path):
    (tmp_path / "run" / "workspace").mkdir(parents=True)
    (tmp_path / "run" / "workspace" / "samples").write_text("a file where the folder should be")
    run = training(sample_after=3, sample_after_unit="STEP").run()
    assert "could not be generated" in run.recorder.of("on_warning")[0][0]
    assert len(run.recorder.losses) == 6


def test_an_infinite_loss_fails_the_run_and_nothing_is_written(training, tmp_path):
    growing = {"optimizer": "ADAMW", "weight_decay": 1000}  # each update multiplies the weights by about -1e6
    run = training(learning_rate=1000, optimizer=growing, backup_before_save=True)
    with pytest.raises(NotFinite, match="at step"):
        run.run()
    run.trainer.end()
    assert not run.recorder.of("on_artifact")
    assert not (tmp_path / "run" / "model.safetensors").exists()


def test_a_missing_model_is_named(training):
    with pytest.raises(MissingModel, match="no/such/model"):
        training(base_model_name="no/such/model", offline_mode=True).run()


def test_fewer_pictures_than_a_batch_are_refused(training):
    with pytest.raises(BadData, match="batch_size"):
        training(batch_size=7).run()


def test_fewer_batches_than_one_accumulation_needs_are_refused_before_the_first_step(training):
    run = training(gradient_accumulation_steps=7)
    with pytest.raises(BadData, match="6 batches in all are fewer than gradient_accumulation_steps"):
        run.run()
    assert not run.recorder.of("on_update_train_progress")


def test_another_tokenizer_never_hits_the_cache_of_the_old_one(training, monkeypatch):
    family = load_family(training().config, torch.device("cpu"))
    before = family.caption_identity()
    assert family.caption_identity() == before
    monkeypatch.setattr(family.pipeline.tokenizer, "get_vocab", lambda: {"star": 1})
    assert family.caption_identity() != before


def test_a_missing_caption_is_named_and_trained_as_an_empty_one(training, pictures):
    (pictures / "3.txt").unlink()
    run = training().run()
    assert any("3.png" in message for message, *_ in run.recorder.of("on_warning"))
    assert len(run.recorder.losses) == 6


def test_an_unreadable_picture_is_named(training, pictures):
    (pictures / "3.png").write_bytes(b"no picture")
    with pytest.raises(BadData, match=r"3\.png"):
        training().run()


def test_only_the_newest_backups_are_kept(training, tmp_path):
    training(backup_after=1, backup_after_unit="STEP", rolling_backup=True, rolling_backup_count=2).run()
    names = [path.name for path in Backups(tmp_path / "run/workspace/backup").newest_first()]
    assert [name.split("-backup-")[1] for name in names] == ["6-2-0", "5-1-2"]


def test_velocity_prediction_is_taken_from_the_model(pictures, tmp_path):
    model = make_model(tmp_path / "v", "v_prediction")
    run = Training(model, pictures, tmp_path / "run", model_type="STABLE_DIFFUSION_20").run()
    assert run.trainer.session.family.is_velocity
    assert len(run.recorder.losses) == 6


@pytest.mark.parametrize(
    "changes",
    [
        {"train_dtype": "BFLOAT_16"},
        {"train_dtype": "FLOAT_16"},
        {"loss_weight_fn": "MIN_SNR_GAMMA"},
        {"mse_strength": 0.0, "huber_strength": 1.0, "mae_strength": 0.5},
        {"offset_noise_weight": 0.1},
        {"optimizer": {"optimizer": "ADAFACTOR"}},
        {"latent_caching": False},
        {"text_encoder": {"train": False}},
        {"unet": {"train": False}, "text_encoder": {"train": True}},
    ],
    ids=str,
)
def test_it_trains_with(training, changes):
    assert len(training(**changes).run().recorder.losses) == 6


def test_gradients_are_checkpointed_where_they_pass_also_through_a_part_that_is_not_trained(training, monkeypatch):
    parts = []
    monkeypatch.setattr(StableDiffusion, "checkpoint_gradients", lambda family, part: parts.append(type(part).__name__))
    training("encoder", unet={"train": False}, text_encoder={"train": True}).trainer.start()
    assert parts == ["UNet2DConditionModel", "CLIPTextModel"]
    parts.clear()
    training("unet", unet={"train": True}, text_encoder={"train": False}).trainer.start()
    assert parts == ["UNet2DConditionModel"]


def test_the_log_shows_a_person_the_progress(tmp_path, model, pictures):
    attempt = tmp_path / "attempt"
    attempt.mkdir()
    config = config_for(model, pictures, tmp_path / "run")
    (attempt / "spec.json").write_text(json.dumps({"config": config}))
    command = [sys.executable, "-m", "engine.builtin", str(attempt)]
    log = subprocess.run(command, capture_output=True, text=True, timeout=120, check=True).stderr.splitlines()
    assert all(" engine: " in line for line in log), log
    assert any("step 0: loss " in line for line in log)
    assert any("wrote the model" in line for line in log)


def test_training_before_the_start_is_refused_with_the_fix(training):
    run = training()
    with pytest.raises(RuntimeError, match=r"call start\(\) first"):
        run.trainer.train()
    run.trainer.end()
    assert run.artifacts("model") == []
