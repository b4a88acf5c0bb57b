"""Every field of a config does something, or the check says that it does not.

A new field that does nothing fails here: let it do something, or tell the user (docs/extending.md, "A field of a
config").
"""

import pytest

from engine.builtin.config.schema import schema
from engine.interface.errors import BadConfig
from engine.schema import leaf, value_at, walk
from tests.engine.outcomes import Tiny, others, told

# What must be set beside a field for it to matter, where its conditions in the schema do not say so.
BACKUPS = {"backup_after": 1, "backup_after_unit": "STEP"}
SAVES = {"save_every": 2, "save_every_unit": "STEP"}
SAMPLES = {"sample_after": 2, "sample_after_unit": "STEP"}
CACHED = {"text_encoder.train": False, "latent_caching": True, "epochs": 2}
TAGS = {"concepts.0.text.tag_dropout_probability": 0.5, "concepts.0.text.caps_randomize_probability": 1.0}
LOGIT_NORMAL = {"timestep_distribution": "LOGIT_NORMAL"}
SEVERAL = {"batch_size": 2, "gradient_accumulation_steps": 2, "epochs": 2}
CUSTOM = {
    "learning_rate_scheduler": "CUSTOM",
    "custom_learning_rate_scheduler": "torch.optim.lr_scheduler.StepLR",
    "scheduler_params": [{"key": "step_size", "value": "2"}],
}
AVERAGES = {"ema": "CPU", "ema_update_step_interval": 1}
PRODIGY = {"optimizer.optimizer": "PRODIGY", "learning_rate": 1.0, "optimizer.d0": 0.001, "epochs": 3}
CONTEXT = {
    **{f"optimizer.{name}": PRODIGY for name in ("beta3", "d_coef", "growth_rate", "slice_p")},
    "optimizer.safeguard_warmup": {**PRODIGY, "learning_rate_warmup_steps": 4},
    **dict.fromkeys(("ema_decay", "ema_update_step_interval"), AVERAGES),
    "huber_delta": {"huber_strength": 1.0},
    "layer_filter_regex": {"layer_filter": "attn1.to_[qk]", "layer_filter_regex": True},
    **dict.fromkeys(("backup_after", "backup_after_unit", "rolling_backup", "rolling_backup_count"), BACKUPS),
    **dict.fromkeys(("save_every", "save_every_unit", "save_skip_first", "save_filename_prefix"), SAVES),
    **dict.fromkeys(("sample_after", "sample_after_unit", "sample_skip_first"), SAMPLES),
    "optimizer_defaults": {"optimizer.beta1": None},
    **dict.fromkeys(("noising_weight", "noising_bias"), LOGIT_NORMAL),
    **dict.fromkeys(("learning_rate_scaler", "loss_scaler"), SEVERAL),
    **dict.fromkeys(("custom_learning_rate_scheduler", "scheduler_params"), CUSTOM),
    "concepts.0.text_variations": CACHED,
    "concepts.0.image_variations": CACHED,
    "concepts.0.text.prompt_path": {
        "concepts.0.text.prompt_source": "concept",
        "concepts.0.text.prompt_path": "FOLDER/captions.txt",
    },
    "sample_image_format": SAMPLES,
    **{
        f"concepts.0.image.{name}": {
            f"concepts.0.image.enable_random_{what}": True,
            f"concepts.0.image.{name}": 0.3,
        }
        for what in ("brightness", "contrast", "saturation", "hue")
        for name in (f"random_{what}_max_strength",)
    },
}
# Other values than the usual other one.
VALUES = {
    **{name: [f"FOLDER/{name}"] for name in ("workspace_dir", "cache_dir", "huggingface_cache_dir", "debug_dir")},
    "base_model_name": ["FOLDER/other model"],
    "concepts.0.path": ["FOLDER/pictures/more"],
    "concepts.0.text.prompt_path": ["FOLDER/other captions.txt"],
    "resolution": ["64"],
    "layer_filter": ["attn1"],
    "layer_filter_preset": ["attn-only"],
    "clip_grad_norm": [0.001],
    "optimizer.d_coef": [2.0],
    "ema_decay": [0.05],
    "noising_weight": [3.0],
    "noising_bias": [2.0],
    "optimizer.growth_rate": [1.02],
    "optimizer.clip_threshold": [0.5],
    "optimizer_defaults": [{"ADAMW": {"beta1": 0.5}}],
    "samples.0.noise_scheduler": ["EULER_A", "EULER_KARRAS", "DPMPP_SDE", "UNIPC"],  # EULER is what DDIM computes
    "custom_learning_rate_scheduler": ["torch.optim.lr_scheduler.ExponentialLR"],
    "scheduler_params": [[{"key": "step_size", "value": "1"}]],
    "concepts.0.seed": [7],
    "sample_skip_first": [3],
    "save_skip_first": [3],
    "backup_after_unit": ["EPOCH", "NEVER", "ALWAYS"],
    "save_every_unit": ["EPOCH", "NEVER", "ALWAYS"],
    "sample_after_unit": ["EPOCH", "NEVER", "ALWAYS"],
}
# Fields whose effect a training of the tiny model cannot show, with the place where it can be seen.
ELSEWHERE = {
    "model_type": "the layout and the metadata of the file; the check compares it with the base model",
    "prevent_overwrites": "the check, if the file exists",
    "huggingface_cache_dir": "models from the hub",
    "offline_mode": "models from the hub",
    "output_model_format": "SAFETENSORS is the usual layout of each method",
    "concept_file_name": "the check reads the file where the config has no concepts",
    "sample_definition_file_name": "the check reads the file where the config has no samples",
    "concepts.0.name": "the editor's list",
    "concepts.0.concept_stats": "display alone",
    "force_epsilon_prediction": "models that predict velocity",
    "non_ema_sampling": "samples of a run with averages, in test_meaning.py",
    "dataloader_threads": "speed",
    "optimizer.fused": "speed",
}


@pytest.fixture(scope="module")
def tiny(tmp_path_factory):
    return Tiny(tmp_path_factory.mktemp("tiny"))


def fields_of(tab):
    for path, described in walk(schema()):
        is_list = "properties" in described.get("items", {})
        if described["x-tab"] == tab and not is_list and not path.startswith(("additional_embeddings", "secrets")):
            yield path.replace("*", "0")


@pytest.mark.parametrize("tab", [tab["id"] for tab in schema()["x-tabs"]])
def test_a_changed_field_changes_something_or_is_told_to_have_no_effect(tiny, tab):
    assert [found for path in fields_of(tab) for found in silent_values(tiny, path)] == []


def silent_values(tiny, path):
    """(path, value) of each other value that is accepted and leads to the same outcome."""
    if path in ELSEWHERE:
        return
    context = context_of(tiny, path)
    present = value_at(tiny.config(**context), path)
    values = VALUES.get(path) or others(schema(), path, present)
    for value in values:
        changes = {**context, path: value}
        if not told(tiny.config(**changes), path) and not differs(tiny, context, changes):
            yield path, value


def differs(tiny, context, changes):
    base = tiny.outcome(**context)
    try:
        return tiny.outcome(**changes) != base
    except BadConfig:  # it does not fit other settings, or the loaded model
        return True


def context_of(tiny, path):
    """Changes with which the field matters, by its conditions or by those named above; none if there are no such."""
    if path in CONTEXT:
        return CONTEXT[path]
    item = path.partition(".0.")[0] + ".0"
    context = dict(SAMPLES) if path.startswith("samples.") else {}
    for other, values in leaf(schema(), path).get("x-applies", {}).items():
        full = f"{item}.{other[2:]}" if other.startswith("./") else other
        if value_at(tiny.config(), full) not in values:
            usable = [value for value in values if not told(tiny.config(**{full: value}), full)]
            if not usable or other == "model_type":  # the tiny model is of one type
                return {}
            context[full] = usable[0]
    return context
