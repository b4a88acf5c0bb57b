"""The numbers that OneTrainer gave (commit 23df3832), so that they are compared where there is no OneTrainer."""

from __future__ import annotations

import json
import math
from pathlib import Path

import pytest
import torch

from engine.builtin.config.train_config import TrainConfig
from engine.builtin.families.base import Prediction
from engine.builtin.families.noise import NoiseSchedule, draw_noise
from engine.builtin.training.losses import batch_loss
from tests.meaning import cases, ours

NUMBERS = json.loads(Path(__file__).with_name("numbers.json").read_text())
BETAS = torch.linspace(0.00085**0.5, 0.012**0.5, 1000) ** 2
PREDICTED = torch.tensor([[2.0, -1.0], [0.5, 0.25]]).view(2, 1, 1, 2)
TARGET = torch.tensor([[1.0, 1.0], [0.5, 1.0]]).view(2, 1, 1, 2)
SNR = torch.tensor([4.0, 0.25])


@pytest.mark.parametrize("name", NUMBERS)
def test_a_setting_gives_onetrainers_numbers(name):
    case, theirs = NUMBERS[name]["case"], NUMBERS[name]["numbers"]
    ((_, found),) = ours.WITHOUT_MODEL[case["kind"]](case).items()
    assert len(found) >= len(theirs)
    for one, other in zip(found, theirs, strict=False):
        assert one == pytest.approx(other, rel=1e-5, abs=1e-9)


def test_every_case_without_a_model_has_numbers():
    assert {*cases.TIMESTEPS, *cases.SCHEDULES, *cases.STOPS, *cases.AVERAGES} == set(NUMBERS)


def log_cosh(error):
    return math.log(math.cosh(error))


def loss(is_velocity=False, **config):
    prediction = Prediction(PREDICTED, TARGET, SNR, is_velocity)
    return batch_loss(TrainConfig.from_dict(config), prediction, torch.tensor([1.0, 2.0])).item()


@pytest.mark.parametrize(
    ("config", "expected"),
    [
        ({}, (2.5 + 2 * 0.28125) / 2),
        ({"mse_strength": 0, "mae_strength": 2}, (2 * 1.5 + 2 * 2 * 0.375) / 2),
        ({"mse_strength": 0, "log_cosh_strength": 1}, (log_cosh(1) + log_cosh(2) + 2 * log_cosh(0.75)) / 4),
        ({"mse_strength": 0, "huber_strength": 1, "huber_delta": 0.5}, (0.625 + 2 * 0.125) / 2),
        ({"loss_scaler": "BOTH", "batch_size": 2, "gradient_accumulation_steps": 3}, 6 * (2.5 + 2 * 0.28125) / 2),
        ({"loss_weight_fn": "MIN_SNR_GAMMA", "loss_weight_strength": 1}, (2.5 * 0.25 + 2 * 0.28125) / 2),
        ({"loss_weight_fn": "DEBIASED_ESTIMATION"}, (2.5 * 0.5 + 2 * 0.28125 * 2) / 2),
        ({"loss_weight_fn": "P2", "loss_weight_strength": 2}, (2.5 / 25 + 2 * 0.28125 / 1.5625) / 2),
        ({"is_velocity": True, "loss_weight_fn": "MIN_SNR_GAMMA", "loss_weight_strength": 1}, (0.5 + 0.1125) / 2),
        ({"is_velocity": True, "loss_weight_fn": "P2", "loss_weight_strength": 1}, (2.5 / 6 + 2 * 0.28125 / 2.25) / 2),
    ],
)
def test_a_loss_is_as_its_formula_says(config, expected):
    assert loss(**config) == pytest.approx(expected, rel=1e-5)


@pytest.mark.parametrize(
    ("config", "deviation"),
    [
        ({}, 1.0),
        ({"offset_noise_weight": 0.5}, 1.25**0.5),
        ({"perturbation_noise_weight": 0.5}, 1.25**0.5),
        ({"offset_noise_weight": 0.5, "perturbation_noise_weight": 0.5}, 1.5**0.5),
    ],
)
def test_extra_noise_adds_to_the_variance(config, deviation):
    generator = torch.Generator().manual_seed(0)
    noise = draw_noise(TrainConfig.from_dict(config), torch.zeros(64, 64, 6, 6), None, generator)
    assert noise.std().item() == pytest.approx(deviation, rel=0.02)


def test_generalized_offset_noise_grows_to_its_whole_strength_at_the_last_timestep():
    strength = NoiseSchedule(BETAS).offset_strength()
    assert (strength.diff() > 0).all() and strength[-1] == 1 and strength[0] < 0.01
