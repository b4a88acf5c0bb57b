"""The optimizer's settings that a config leaves out."""

import pytest

from engine.builtin.config.train_config import TrainConfig, TrainOptimizerConfig


def optimizer(**settings):
    return TrainConfig.from_dict({"optimizer": settings}).optimizer


@pytest.mark.parametrize(
    ("name", "eps", "weight_decay", "decouple"),
    [("ADAMW", 1e-8, 0.01, False), ("PRODIGY", 1e-8, 0, True), ("ADAFACTOR", 1e-30, 0, False)],
)
def test_each_optimizer_brings_its_own_defaults(name, eps, weight_decay, decouple):
    chosen = optimizer(optimizer=name)
    assert (chosen.eps, chosen.weight_decay, chosen.decouple) == (eps, weight_decay, decouple)


def test_an_empty_setting_takes_the_default():
    assert optimizer(optimizer="ADAMW", beta1=None).beta1 == 0.9


def test_a_given_setting_stays():
    assert optimizer(optimizer="PRODIGY", decouple=False, d_coef=0.5).decouple is False
    assert optimizer(optimizer="PRODIGY", d_coef=0.5).d_coef == 0.5


def test_a_config_without_an_optimizer_trains_with_adamw():
    assert TrainConfig.from_dict({}).optimizer.beta2 == 0.999


def test_own_defaults_come_before_those_of_the_optimizer():
    values = {
        "optimizer": {"optimizer": "ADAMW", "eps": 1e-6},
        "optimizer_defaults": {"ADAMW": {"beta1": 0.8, "eps": 1}},
    }
    chosen = TrainConfig.from_dict(values).optimizer
    assert (chosen.beta1, chosen.eps, chosen.beta2) == (0.8, 1e-6, 0.999)


def test_own_defaults_of_another_optimizer_are_left_alone():
    values = {"optimizer": {"optimizer": "ADAMW"}, "optimizer_defaults": {"PRODIGY": {"beta1": 0.8}}}
    assert TrainConfig.from_dict(values).optimizer.beta1 == 0.9


def test_an_optimizer_that_only_onetrainer_has_keeps_its_given_settings():
    assert TrainOptimizerConfig.from_dict({"optimizer": "LION", "beta1": 0.7}).beta1 == 0.7
