"""Checks of several settings together."""

import json

import pytest

from engine.builtin.config.check import check, check_values
from engine.builtin.config.train_config import TrainConfig

DATA = {"concepts": [{"path": "/pictures"}]}
ZERO_SNR = {"rescale_noise_scheduler_to_zero_terminal_snr": True}
ADAFACTOR = {"optimizer": {"optimizer": "ADAFACTOR", "relative_step": True}}
LORA = {"training_method": "LORA", "output_model_format": "KOHYA_LORA"}


def custom(name, **arguments):
    pairs = [{"key": key, "value": value} for key, value in arguments.items()]
    names = {"learning_rate_scheduler": "CUSTOM", "custom_learning_rate_scheduler": name}
    return names | {"scheduler_params": pairs}


def stop(part, unit, after=None):
    return {part: {"stop_training_after": after, "stop_training_after_unit": unit}}


def errors(values):
    return {problem.field for problem in check(DATA | values) if problem.is_error}


@pytest.mark.parametrize(
    ("values", "field"),
    [
        (LORA | {"output_model_format": "DIFFUSERS"}, "output_model_format"),
        ({"output_model_format": "KOHYA_LORA"}, "output_model_format"),
        ({"output_model_destination": ""}, "output_model_destination"),
        ({"output_model_destination": "models/model.ckpt"}, "output_model_destination"),
        ({"output_model_format": "DIFFUSERS"}, "output_model_destination"),
        ({"unet": {"train": False}, "text_encoder": {"train": False}}, "unet.train"),
        ({"unet": {"weight_dtype": "FLOAT_16"}}, "unet.weight_dtype"),
        (LORA | {"layer_filter": "attn(", "layer_filter_regex": True}, "layer_filter"),
        ({"mse_strength": 0}, "mse_strength"),
        ({"huber_strength": 1, "huber_delta": 0}, "huber_delta"),
        ({"force_v_prediction": True, "force_epsilon_prediction": True}, "force_v_prediction"),
        ({"min_noising_strength": 0.5, "max_noising_strength": 0.5}, "min_noising_strength"),
        ({"timestep_shift": 0}, "timestep_shift"),
        ({"timestep_distribution": "HEAVY_TAIL", "noising_weight": 3}, "noising_weight"),
        ({"timestep_distribution": "LOGIT_NORMAL", "noising_weight": -1}, "noising_weight"),
        ({"timestep_distribution": "INVERTED_PARABOLA", "noising_weight": 3, "noising_bias": 4}, "noising_bias"),
        (ZERO_SNR | {"generalized_offset_noise": True, "offset_noise_weight": 0.1}, "generalized_offset_noise"),
        ({"learning_rate_scheduler": "ADAFACTOR"}, "learning_rate_scheduler"),
        (
            {"optimizer": {"optimizer": "ADAFACTOR", "relative_step": False, "warmup_init": True}},
            "optimizer.warmup_init",
        ),
        ({"unet": {"stop_training_after_unit": "STEP"}}, "unet.stop_training_after"),
        (stop("unet", "ALWAYS") | {"text_encoder": {"train": False}}, "unet.stop_training_after_unit"),
        (custom("torch.optim.lr_scheduler.LambdaLR"), "custom_learning_rate_scheduler"),
        (custom("os.system"), "custom_learning_rate_scheduler"),
        (custom("torch.optim.lr_scheduler.StepLR"), "scheduler_params"),
        (custom("torch.optim.lr_scheduler.ExponentialLR", gamma="0.9", speed="1"), "scheduler_params.1"),
        (custom("torch.optim.lr_scheduler.ExponentialLR", gamma="open('x')"), "scheduler_params.0"),
        ({"resolution": "large"}, "resolution"),
        ({"train_device": "gpu"}, "train_device"),
        ({"samples": [{"width": 100}]}, "samples.0.width"),
        ({"samples": [{"height": 4104}]}, "samples.0.height"),
        ({"samples": [{"seed": -1}]}, "samples.0.seed"),
        ({"concepts": []}, "concepts"),
        ({"concepts": [{"path": "/p", "enabled": False}]}, "concepts.0.enabled"),
        ({"concepts": [{}]}, "concepts.0.path"),
        ({"concepts": [{"path": "/p", "text": {"prompt_source": "concept"}}]}, "concepts.0.text.prompt_path"),
        ({"concepts": None, "concept_file_name": "/nowhere.json"}, "concept_file_name"),
        ({"sample_definition_file_name": "/nowhere.json"}, "sample_definition_file_name"),
    ],
)
def test_settings_that_cannot_be_combined_are_refused(values, field):
    assert errors(values) == {field}


@pytest.mark.parametrize(
    "values",
    [
        LORA,
        LORA | {"output_model_format": "DIFFUSERS_LORA"},
        LORA | {"unet": {"weight_dtype": "FLOAT_16"}, "layer_filter": "attn", "text_encoder": {"train": False}},
        {"text_encoder": {"train": False, "weight_dtype": "FLOAT_16"}},
        {"output_model_format": "DIFFUSERS", "output_model_destination": "models/model"},
        {"mse_strength": 0, "huber_strength": 1},
        {"train_device": "cuda:1"},
        {"layer_filter": "attn"},
        custom("torch.optim.lr_scheduler.StepLR", step_size="%STEPS_PER_EPOCH%", gamma="0.5"),
        ADAFACTOR | {"learning_rate_scheduler": "ADAFACTOR"},
        stop("unet", "EPOCH", 3),
        {"resolution": "512,768"},
        {"concepts": [{"path": "/p"}, {"enabled": False}]},
    ],
)
def test_settings_that_can_be_combined_pass(values):
    assert errors(values) == set()


def test_an_existing_model_is_not_overwritten_if_prevent_overwrites_is_on(tmp_path):
    destination = tmp_path / "model.safetensors"
    values = {"output_model_destination": str(destination), "prevent_overwrites": True}
    assert errors(values) == set()
    destination.touch()
    assert errors(values) == {"output_model_destination"}


def test_concepts_and_samples_in_files_are_checked_too(tmp_path):
    concepts, samples = tmp_path / "concepts.json", tmp_path / "samples.json"
    concepts.write_text(json.dumps([{"path": "/p", "type": "VALIDATION"}]))
    samples.write_text(json.dumps([{"height": 100}]))
    files = {"concept_file_name": str(concepts), "sample_definition_file_name": str(samples)}
    assert errors({"concepts": None} | files) == {"concepts.0.type", "samples.0.height"}


@pytest.mark.parametrize("text", ["{", "{}", "[3]"])
def test_a_file_without_concepts_is_refused(tmp_path, text):
    (tmp_path / "concepts.json").write_text(text)
    assert errors({"concepts": None, "concept_file_name": str(tmp_path / "concepts.json")})


@pytest.mark.parametrize(
    ("values", "field"),
    [
        ({"timestep_distribution": "COS_MAP", "noising_weight": 1}, "noising_weight"),
        ({"generalized_offset_noise": True}, "generalized_offset_noise"),
        ({"timestep_distribution": "HEAVY_TAIL", "noising_bias": 1}, "noising_bias"),
        ({"timestep_distribution": "BETA"}, "noising_weight"),
        (ZERO_SNR | {"force_epsilon_prediction": True}, "force_epsilon_prediction"),
        (ADAFACTOR | {"learning_rate_scheduler": "LINEAR"}, "learning_rate_scheduler"),
        (stop("unet", "NEVER", 3), "unet.stop_training_after"),
        (stop("unet", "STEP", 0), "unet.stop_training_after"),
        ({"layer_filter": "attn,"}, "layer_filter"),
        ({"learning_rate_scheduler": "LINEAR", "learning_rate_min_factor": 1}, "learning_rate_min_factor"),
        ({"learning_rate_scheduler": "COSINE_WITH_RESTARTS", "learning_rate_cycles": 0}, "learning_rate_cycles"),
    ],
)
def test_settings_that_change_nothing_or_little_together_are_a_warning(values, field):
    problems = check(DATA | values)
    assert [(problem.field, problem.severity) for problem in problems] == [(field, "warning")]


@pytest.mark.parametrize("name", ["model.ckpt", "old.PT"])
def test_a_base_model_that_can_contain_programs_is_refused(name):
    assert errors({"base_model_name": f"/m/{name}"}) == {"base_model_name"}


@pytest.mark.parametrize(
    ("values", "fields"),
    [
        ({"learning_rate": 1.0}, ["learning_rate"]),
        ({"optimizer": {"optimizer": "PRODIGY"}, "learning_rate": 1e-4}, ["learning_rate"]),
        ({"optimizer": {"optimizer": "PRODIGY"}, "learning_rate": 1.0}, []),
        ({"learning_rate": 1e-4, "unet": {"learning_rate": 2.0}}, ["unet.learning_rate"]),
        ({"learning_rate": 1e-4, "text_encoder": {"train": True, "learning_rate": 0}}, ["text_encoder.learning_rate"]),
    ],
)
def test_a_learning_rate_that_cannot_suit_the_optimizer_is_a_warning(values, fields):
    problems = [problem for problem in check(DATA | values) if problem.field.endswith("learning_rate")]
    assert [problem.field for problem in problems] == fields
    assert not any(problem.is_error for problem in problems)


def test_the_arguments_of_a_custom_scheduler_are_names_with_values():
    config = TrainConfig.from_dict({"scheduler_params": [{"key": "step_size", "value": "100"}, {"step_size": "100"}]})
    assert [problem.field for problem in check_values(config)] == ["scheduler_params.1"]


def test_an_empty_prompt_of_a_sample_is_a_warning():
    found = {problem.field: problem for problem in check(DATA | {"samples": [{"prompt": " "}, {"prompt": "a star"}]})}
    assert found["samples.0.prompt"].severity == "warning"
    assert "samples.1.prompt" not in found
