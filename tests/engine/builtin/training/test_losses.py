"""The losses and their weights."""

import pytest
import torch

from engine.builtin.training.losses import min_snr_weight

SNR = torch.tensor([0.0, 0.5, 5.0, 50.0])


def test_min_snr_of_noise_is_one_until_gamma_and_then_falls():
    assert min_snr_weight(SNR, 5.0, is_velocity=False).tolist() == pytest.approx([1, 1, 1, 0.1])


def test_min_snr_of_velocity_is_divided_by_the_snr_and_one():
    assert min_snr_weight(SNR, 5.0, is_velocity=True).tolist() == pytest.approx([0, 1 / 3, 5 / 6, 5 / 51])
