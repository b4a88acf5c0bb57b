"""A factor that makes the whole training void is an error that names the field."""

import copy

import pytest

from engine.builtin.config.check import check
from engine.builtin.config.schema import schema
from engine.builtin.config.train_config import TrainConfig
from engine.schema import both, leaf, walk
from engine.void import check_factors

LORA = {"training_method": "LORA", "output_model_format": "KOHYA_LORA"}
ONE, OTHER = {"path": "/one"}, {"path": "/other"}
BOTH = {"concepts": [ONE]}


def found(values, severity="error"):
    return {problem.field: problem.message for problem in check(BOTH | values) if problem.severity == severity}


VOID = {
    "lora_alpha": LORA | {"lora_alpha": 0},
    "dropout_probability": LORA | {"dropout_probability": 1},
    "loss_weight_strength": {"loss_weight_fn": "MIN_SNR_GAMMA", "loss_weight_strength": 0},
    "mse_strength": {"mse_strength": 0},
    "clip_grad_norm": {"clip_grad_norm": 0},
    "learning_rate": {"learning_rate": 0},
    "unet.learning_rate": {"unet": {"learning_rate": 0}, "text_encoder": {"train": False}},
    "text_encoder.learning_rate": {"unet": {"train": False}, "text_encoder": {"learning_rate": 0}},
    "unet.train": {"unet": {"train": False}, "text_encoder": {"train": False}},
    "concepts.0.loss_weight": {"concepts": [ONE | {"loss_weight": 0}]},
    "concepts.0.balancing": {"concepts": [ONE | {"balancing": 0}, OTHER | {"loss_weight": 0}]},
    "concepts.0.enabled": {"concepts": [ONE | {"enabled": False}]},
    "concepts.1.loss_weight": {"concepts": [ONE | {"enabled": False}, OTHER | {"loss_weight": 0}]},
    "optimizer.beta1": {"optimizer": {"optimizer": "ADAMW", "beta1": 1}},
    "optimizer.beta2": {"optimizer": {"optimizer": "ADAMW", "beta2": 1}},
    "optimizer.eps": {"optimizer": {"optimizer": "ADAMW", "eps": 0}},
    "optimizer.d_coef": {"optimizer": {"optimizer": "PRODIGY", "d_coef": 0}, "learning_rate": 1},
    "optimizer.d0": {"optimizer": {"optimizer": "PRODIGY", "d0": 0}, "learning_rate": 1},
    "optimizer.clip_threshold": {"optimizer": {"optimizer": "ADAFACTOR", "clip_threshold": 0}},
}


@pytest.mark.parametrize(("field", "values"), VOID.items(), ids=VOID)
def test_a_factor_at_its_void_value_is_an_error_of_its_field(field, values):
    lora = values | {"output_model_destination": "lora.safetensors"} if "training_method" in values else values
    assert list(found(lora)) == [field]


ALIVE = {
    "a void factor that does not apply": {"loss_weight_fn": "CONSTANT", "loss_weight_strength": 0, "lora_alpha": 0},
    "a loss beside a void one": {"mse_strength": 0, "mae_strength": 1},
    "a part with a rate beside one that is off": {"learning_rate": 0, "unet": {"learning_rate": 1e-5}},
    "a concept beside one without weight": {"concepts": [ONE | {"loss_weight": 0}, OTHER]},
    "clipping that is off": {"clip_grad_norm": None},
}


@pytest.mark.parametrize("values", ALIVE.values(), ids=ALIVE)
def test_a_training_with_one_living_term_in_each_sum_is_no_error(values):
    assert found(values) == {}


def test_a_term_that_is_void_in_vain_is_a_warning_and_one_that_is_turned_off_is_not():
    concepts = [ONE | {"loss_weight": 0}, ONE | {"enabled": False, "balancing": 0}, OTHER]
    warned = found({"concepts": concepts, "text_encoder": {"learning_rate": 0}}, "warning")
    assert warned == {
        "concepts.0.loss_weight": "is 0, so concepts.0 is not trained; raise it",
        "text_encoder.learning_rate": "is 0, so text_encoder is not trained; raise it",
    }


def test_the_sentence_says_what_to_change():
    assert found(VOID["lora_alpha"])["lora_alpha"] == "is 0, so nothing would be trained; raise it"
    assert found(VOID["clip_grad_norm"])["clip_grad_norm"].endswith("; raise it or leave it empty")
    assert found(VOID["unet.train"])["unet.train"].endswith("; turn it on, or change text_encoder.train")
    assert found(VOID["mse_strength"])["mse_strength"].endswith(
        "raise it, or change mae_strength or log_cosh_strength or huber_strength"
    )


def test_every_annotated_field_is_void_at_its_value_in_some_config():
    """No annotation is written in vain: with its conditions met, the check names the field."""
    annotated = [path for path, described in walk(schema()) if "x-void" in described]
    for path in (path for path in annotated if [] not in _conditions(path).values()):
        only = copy.deepcopy(schema())
        for other, described in walk(only):
            if other != path:
                described.pop("x-void", None)
        assert [problem.field for problem in check_factors(only, _void(path))] == [path.replace("*", "0")], path


def _void(path):
    """A config in which the field applies and is void."""
    config = TrainConfig.from_dict({"concepts": [{}], "additional_embeddings": [{}]}).to_dict()
    above = path.replace("*", "0").rpartition(".")[0]
    for other, values in _conditions(path).items():
        _set(config, f"{above}.{other[2:]}" if other.startswith("./") else other, values[0])
    _set(config, path.replace("*", "0"), leaf(schema(), path)["x-void"]["at"])
    return config


def _conditions(path):
    described = leaf(schema(), path)
    return both(described.get("x-applies", {}), described["x-void"]["applies"])


def _set(config, path, value):
    *above, name = path.split(".")
    for part in above:
        config = config[int(part) if part.isdecimal() else part]
    config[name] = value
