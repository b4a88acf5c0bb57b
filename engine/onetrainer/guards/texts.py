"""The texts that a config may set: all that this site knows. A text of a newer OneTrainer keeps its default.

The list is in the code, because this runs in OneTrainer's own Python, which may be too old to read `fields.toml`; a
test compares the two.
"""

from engine.interface.errors import Problem
from engine.interface.importable import import_refusal
from engine.paths.names import name_refusal

NEW = "is not known to this site, so it must keep its default; remove it, or update the site."
IMPORTED = ("custom_learning_rate_scheduler",)
NAMES = ("save_filename_prefix", "uuid")
KNOWN = {
    "TrainConfig": {
        *("base_model_name", "cache_dir", "concept_file_name", "custom_learning_rate_scheduler", "debug_dir"),
        *("device_indexes", "frames", "huggingface_cache_dir", "layer_filter", "layer_filter_preset"),
        *("lora_model_name", "output_model_destination", "resolution", "sample_definition_file_name"),
        *("save_filename_prefix", "temp_device", "train_device", "workspace_dir"),
    },
    "TrainModelPartConfig": {"model_name"},
    "QuantizationConfig": {"cache_dir", "layer_filter", "layer_filter_preset"},
    "TrainEmbeddingConfig": {"initial_embedding_text", "model_name", "placeholder", "uuid"},
    "TrainOptimizerConfig": {"muon_hidden_layers"},
    "ConceptConfig": {"name", "path"},
    "ConceptImageConfig": {"resolution_override"},
    "ConceptTextConfig": {
        *("caps_randomize_mode", "prompt_path", "prompt_source", "tag_delimiter", "tag_dropout_mode"),
        *("tag_dropout_special_tags", "tag_dropout_special_tags_mode"),
    },
    "SampleConfig": {"base_image_path", "mask_image_path", "negative_prompt", "prompt"},
    "CloudConfig": {
        *("gpu_type", "huggingface_cache_dir", "install_cmd", "name", "onetrainer_dir", "remote_dir", "run_id"),
        "sub_type",
    },
    "SecretsConfig": {"huggingface_token"},
    "CloudSecretsConfig": {"api_key", "host", "id", "key_file", "password", "port", "user"},
}


def refused_texts(config, prefix=""):
    """A problem for each text of OneTrainer's own config object that may import, or whose meaning is not known here."""
    owner = type(config).__name__
    for name, kind in config.types.items():
        value, field = getattr(config, name, None), prefix + name
        if kind is str and isinstance(value, str) and value:
            why = _refusal(owner, name, value, config)
            if why:
                yield Problem(field, why)
        elif hasattr(value, "types"):
            yield from refused_texts(value, f"{field}.")
        else:
            for key, item in _items(value):
                if hasattr(item, "types"):
                    yield from refused_texts(item, f"{field}.{key}.")


def _items(value):
    if isinstance(value, dict):
        return value.items()
    return enumerate(value) if isinstance(value, list) else ()


def _refusal(owner, name, value, config):
    if name in IMPORTED:
        return import_refusal(value)
    if name in NAMES:
        return name_refusal(value)
    return "" if name in KNOWN.get(owner, ()) or value == config.default_values.get(name) else NEW
