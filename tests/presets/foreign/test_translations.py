"""Configs of kohya's sd-scripts, ai-toolkit and SimpleTuner: recognized, translated, and what is not, reported."""

import json
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import settings as examples
from hypothesis import strategies as st

from presets.config import configs
from presets.config.intake import take_in
from presets.foreign import ai_toolkit, kohya, simpletuner
from presets.foreign.recognizing import is_foreign
from presets.foreign.text_forms import read_text

KOHYA = """
[model_arguments]
pretrained_model_name_or_path = "owner/sdxl-base"
network_module = "networks.lora"
network_dim = 32
network_alpha = 16
network_train_unet_only = true

[training_arguments]
output_name = "my-style"
learning_rate = 1e-4
unet_lr = 2e-4
lr_scheduler = "cosine_with_restarts"
lr_scheduler_num_cycles = 3
lr_warmup_steps = 100
optimizer_type = "AdamW8bit"
optimizer_args = ["weight_decay=0.1", "betas=0.9,0.99"]
train_batch_size = 4
max_train_epochs = 12
mixed_precision = "bf16"
save_precision = "fp16"
save_every_n_epochs = 2
min_snr_gamma = 5
noise_offset = 0.05
clip_skip = 2
resolution = "1024,1024"
enable_bucket = true
cache_latents = true
max_grad_norm = 1.0
seed = 42
xformers = true
multires_noise_iterations = 6
"""
DATASETS = """
[general]
shuffle_caption = true
keep_tokens = 1

[[datasets]]
resolution = 768
batch_size = 2

  [[datasets.subsets]]
  image_dir = "a"
  num_repeats = 10
  keep_tokens = 3

  [[datasets.subsets]]
  image_dir = "b"
  is_reg = true
  flip_aug = true
"""
AI_TOOLKIT = """
job: extension
config:
  name: "my lora"
  process:
    - type: 'sd_trainer'
      trigger_word: "p3r5on"
      network: {type: "lora", linear: 16, linear_alpha: 8}
      save: {dtype: float16, save_every: 250, max_step_saves_to_keep: 4}
      datasets:
        - folder_path: "pictures"
          caption_ext: "txt"
          caption_dropout_rate: 0.05
          shuffle_tokens: true
          num_repeats: 2
          resolution: [512, 768]
      train:
        batch_size: 2
        steps: 2000
        train_text_encoder: false
        optimizer: "adamw8bit"
        lr: 1e-4
        ema_config: {use_ema: true, ema_decay: 0.99}
        dtype: bf16
      model: {name_or_path: "owner/FLUX.1-dev", is_flux: true, quantize: true}
      sample:
        sample_every: 250
        width: 1024
        height: 768
        prompts: ["a woman", "a horse"]
        seed: 42
        guidance_scale: 4
        sample_steps: 20
meta: {name: "[name]"}
"""
SIMPLETUNER = """{
    "--model_family": "sdxl",
    "--model_type": "lora",
    "--pretrained_model_name_or_path": "owner/sdxl",
    "--lora_rank": 64,
    "--lora_alpha": 32,
    "--learning_rate": 8e-5,
    "--lr_scheduler": "polynomial",
    "--optimizer": "bnb-adamw8bit",
    "--train_batch_size": 3,
    "--num_train_epochs": 7,
    "--mixed_precision": "bf16",
    "--checkpointing_steps": 500,
    "--checkpoints_total_limit": 5,
    "--use_ema": true,
    "--snr_gamma": 5,
    "--resolution": 1024,
    "--data_backend_config": "config/multidatabackend.json",
    "--validation_prompt": "a cat",
    "--validation_resolution": "1024x1024",
    "--validation_steps": 100,
}"""
BACKENDS = json.dumps(
    [
        {"id": "cats", "type": "local", "instance_data_dir": "cats", "caption_strategy": "textfile", "repeats": 4},
        {"id": "dogs", "type": "local", "instance_data_dir": "dogs", "caption_strategy": "filename", "resolution": 512},
        {"id": "far", "type": "huggingface", "dataset_name": "owner/pictures", "caption_strategy": "instanceprompt"},
        {"id": "texts", "dataset_type": "text_embeds", "default": True, "cache_dir": "cache"},
    ]
)
EXPECTED = {
    "kohya.toml": (
        KOHYA,
        {
            "model_type": "STABLE_DIFFUSION_XL_10_BASE",
            "training_method": "LORA",
            "base_model_name": "owner/sdxl-base",
            "lora_rank": 32,
            "lora_alpha": 16.0,
            "unet.learning_rate": 2e-4,
            "text_encoder.train": False,
            "text_encoder_layer_skip": 1,
            "learning_rate_scheduler": "COSINE_WITH_HARD_RESTARTS",
            "learning_rate_cycles": 3.0,
            "optimizer.optimizer": "ADAMW_8BIT",
            "optimizer.weight_decay": 0.1,
            "optimizer.beta2": 0.99,
            "batch_size": 4,
            "epochs": 12,
            "train_dtype": "BFLOAT_16",
            "output_dtype": "FLOAT_16",
            "save_every": 2,
            "save_every_unit": "EPOCH",
            "loss_weight_fn": "MIN_SNR_GAMMA",
            "loss_weight_strength": 5.0,
            "offset_noise_weight": 0.05,
            "resolution": "1024",
            "seed": 42,
            "output_model_destination": "models/my-style.safetensors",
        },
    ),
    "datasets.toml": (
        DATASETS,
        {
            "resolution": "768",
            "batch_size": 2,
            "concepts.0.path": "a",
            "concepts.0.balancing": 10.0,
            "concepts.0.text.enable_tag_shuffling": True,
            "concepts.0.text.keep_tags_count": 3,
            "concepts.1.text.keep_tags_count": 1,
            "concepts.1.type": "PRIOR_PREDICTION",
            "concepts.1.image.enable_random_flip": True,
        },
    ),
    "flux.yaml": (
        AI_TOOLKIT,
        {
            "model_type": "FLUX_DEV_1",
            "training_method": "LORA",
            "lora_rank": 16,
            "lora_alpha": 8.0,
            "learning_rate": 1e-4,
            "optimizer.optimizer": "ADAMW_8BIT",
            "ema": "GPU",
            "ema_decay": 0.99,
            "text_encoder.train": False,
            "text_encoder.dropout_probability": 0.05,
            "resolution": "512,768",
            "concepts.0.path": "pictures",
            "concepts.0.balancing": 2.0,
            "concepts.0.text.enable_tag_shuffling": True,
            "samples.1.prompt": "a horse",
            "samples.1.height": 768,
            "sample_after": 250,
            "sample_after_unit": "STEP",
            "save_every_unit": "STEP",
        },
    ),
    "config.json": (
        SIMPLETUNER,
        {
            "model_type": "STABLE_DIFFUSION_XL_10_BASE",
            "training_method": "LORA",
            "lora_rank": 64,
            "learning_rate": 8e-5,
            "optimizer.optimizer": "ADAMW_8BIT",
            "epochs": 7,
            "backup_after": 500,
            "backup_after_unit": "STEP",
            "rolling_backup_count": 5,
            "ema": "CPU",
            "loss_weight_fn": "MIN_SNR_GAMMA",
            "resolution": "1024",
            "samples.0.prompt": "a cat",
            "samples.0.width": 1024,
            "sample_after": 100,
        },
    ),
    "multidatabackend.json": (
        BACKENDS,
        {
            "concepts.0.path": "cats",
            "concepts.0.balancing": 5.0,
            "concepts.1.text.prompt_source": "filename",
            "concepts.1.image.resolution_override": "512",
        },
    ),
}


@pytest.fixture(autouse=True)
def roots(settings):
    settings.ALLOWED_ROOTS = [Path("/")]


@pytest.mark.parametrize("name", EXPECTED)
def test_a_foreign_config_is_translated_and_has_the_form_of_ours(name):
    text, expected = EXPECTED[name]
    taken = take_in(read_text(text.encode(), name))
    found = dict(configs.leaves(taken.config))
    assert {path: found.get(path) for path in expected} == expected
    assert configs.check_form(taken.config) == []
    assert taken.tool and taken.tool in taken.notes[0].message


@pytest.mark.parametrize(
    "name, said",
    [
        ("kohya.toml", ["multires_noise_iterations", "derived from the names"]),
        ("flux.yaml", ["train.steps (2000)", "trigger_word", "model.quantize", "max_step_saves_to_keep"]),
        ("config.json", ["lr_scheduler (polynomial)", "data_backend_config"]),
        ("multidatabackend.json", ["data backend far"]),
    ],
)
def test_what_was_not_translated_is_reported(name, said):
    notes = " ".join(note.message for note in take_in(read_text(EXPECTED[name][0], name)).notes)
    assert all(part in notes for part in said), notes


def test_settings_that_only_say_where_it_runs_are_not_reported():
    notes = " ".join(note.message for note in take_in(read_text(KOHYA)).notes)
    assert "xformers" not in notes


@pytest.mark.parametrize("name", EXPECTED)
def test_the_form_of_a_text_is_found_without_its_name(name):
    text, expected = EXPECTED[name]
    assert dict(configs.leaves(take_in(read_text(text)).config)).items() >= expected.items()


@pytest.mark.parametrize(
    "content",
    [
        {},
        {"epochs": 3},
        {"base_model_name": "x", "learning_rate": 1, "train_batch_size": 1, "network_dim": 1},
        {"learning_rate": 1, "seed": 2},
        {"config": {"epochs": 3}},
        [],
        None,
        {"datasets": 3, "process": "x"},
    ],
)
def test_a_config_of_our_form_is_not_taken_for_a_foreign_one(content):
    assert not is_foreign(content)


@pytest.mark.parametrize(
    "arguments, expected",
    [
        ({"network_module": "lycoris.kohya", "network_args": ["algo=loha", "conv_dim=8"]}, {"peft_type": "LOHA"}),
        ({"network_module": "lycoris.kohya", "network_args": ["algo=lokr"]}, {"peft_type": "LOKR"}),
        ({"network_module": "networks.oft"}, {"peft_type": "OFT_2"}),
        ({"network_module": "networks.lora_flux"}, {"model_type": "FLUX_DEV_1"}),
        ({"network_module": "networks.lora_sd3"}, {"model_type": "STABLE_DIFFUSION_3"}),
        ({"v2": True, "v_parameterization": True}, {"model_type": "STABLE_DIFFUSION_21", "force_v_prediction": True}),
        ({"network_dim": None, "max_train_epochs": 1}, {"lora_alpha": 1.0}),
        ({"max_train_epochs": 1}, {"training_method": "FINE_TUNE"}),
        ({"text_encoder_lr": [1e-5, 0]}, {"text_encoder.learning_rate": 1e-5, "text_encoder_2.train": False}),
        ({"loss_type": "huber", "huber_c": 0.2}, {"huber_strength": 1.0, "huber_delta": 0.2, "mse_strength": 0.0}),
        ({"optimizer_type": "SGDNesterov"}, {"optimizer.optimizer": "SGD", "optimizer.nesterov": True}),
        ({"resolution": [512, 768]}, {"resolution": "512x768"}),
        ({"lr_scheduler": "constant"}, {"learning_rate_warmup_steps": 0.0}),
        ({"optimizer_args": '"decouple=True" "betas=0.9,0.99"'}, {"optimizer.decouple": True, "optimizer.beta2": 0.99}),
        ({"network_module": "lycoris.kohya", "network_args": ["dora_wd=True"]}, {"lora_decompose": True}),
        ({"max_train_epochs": "", "epoch": 7}, {"epochs": 7}),
        ({"LoRA_type": "LyCORIS/LoKr", "factor": 8}, {"peft_type": "LOKR", "lokr_decompose_factor": 8}),
        (
            {"sample_prompts": "a cat --n ugly --w 512 --h 768 --d 3 --l 7.5 --s 20\n\n# no\na dog"},
            {"samples.0.height": 768, "samples.0.negative_prompt": "ugly", "samples.1.prompt": "a dog"},
        ),
    ],
)
def test_what_kohya_s_arguments_mean(arguments, expected):
    content = {"pretrained_model_name_or_path": "a/b", "train_batch_size": 1, **arguments}
    found = dict(configs.leaves(take_in(content).config))
    assert {path: found.get(path) for path in expected} == expected


def test_values_that_cannot_be_read_are_reported_and_break_nothing():
    strange = {"learning_rate": "fast", "train_batch_size": [], "seed": {"a": 1}, "max_train_epochs": "1.5"}
    strange |= {"optimizer_args": 7, "network_args": {"x": 1}, "text_encoder_lr": "low", "loss_type": ["l2"]}
    strange |= {"network_dim": -3, "min_snr_gamma": "5", "unet_lr": True, "save_every_n_epochs": "2"}
    taken = take_in({"pretrained_model_name_or_path": "a/b", **strange})
    notes = " ".join(note.message for note in taken.notes)
    assert all(key in notes for key in ("learning_rate", "max_train_epochs", "network_dim", "unet_lr", "loss_type"))
    assert configs.check_form(taken.config) == []


ANYTHING = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text(max_size=8),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner, max_size=3),
    max_leaves=6,
)
KEYS_OF_KOHYA = [*(key for key, *_ in kohya.ROWS), *kohya.DONE_APART]
KEYS_OF_SIMPLETUNER = [*(key for key, *_ in simpletuner.ROWS), *simpletuner.DONE_APART]
KEYS_OF_PROCESS = [*(key for key, *_ in ai_toolkit.TRAIN), *ai_toolkit.TRAIN_APART]


def with_any_values(keys):
    return st.dictionaries(st.sampled_from(keys), ANYTHING, max_size=8)


@examples(max_examples=60, deadline=None)
@given(with_any_values(KEYS_OF_KOHYA), with_any_values(KEYS_OF_SIMPLETUNER), with_any_values(KEYS_OF_PROCESS))
def test_whatever_a_foreign_file_holds_its_translation_is_one_of_ours(arguments, options, train):
    sections = {"type": "x", "train": train, "network": train, "sample": train, "datasets": [train], "model": train}
    for content in (
        {**arguments, "pretrained_model_name_or_path": "a/b", "network_module": "x"},
        {**options, "model_family": "sdxl"},
        {"config": {"process": [sections]}},
        [{**options, "caption_strategy": "textfile"}],
    ):
        taken = take_in(content)
        assert taken.tool and isinstance(taken.config, dict)
        json.dumps(taken.config)
