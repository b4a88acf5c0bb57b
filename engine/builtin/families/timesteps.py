"""The timesteps of a batch, by the distribution that a config chooses, with OneTrainer's meaning."""

from __future__ import annotations

import math

import torch
from torch import Generator, Tensor

from engine.builtin.config.enums import TimestepDistribution as Distribution
from engine.builtin.config.train_config import TrainConfig

SMALLEST_SHAPE = 1e-4  # of the Beta distribution
WEIGHTED = (Distribution.SIGMOID, Distribution.COS_MAP, Distribution.INVERTED_PARABOLA)


def draw_timesteps(config: TrainConfig, count: int, steps: int, generator: Generator, shift: float = 0.0) -> Tensor:
    """Timesteps (count,) of `steps` in all, as int64 on the generator's device.

    They are between `min_noising_strength` and `max_noising_strength`, before `shift` moves them: the config's
    `timestep_shift`, unless another one is given (Esser et al., arXiv:2403.03206, equation 23).
    """
    shift = shift or config.timestep_shift
    low, high = int(steps * config.min_noising_strength), int(steps * config.max_noising_strength)
    if config.timestep_distribution in WEIGHTED:
        weights = timestep_weights(config, high - low, shift).to(generator.device)
        drawn = torch.multinomial(weights, count, replacement=True, generator=generator) + low
    else:
        moment = low + _draw_share(config, count, generator) * (high - low)
        drawn = (steps * shift * moment / ((shift - 1) * moment + steps)).long()
    return drawn.clamp(max=steps - 1)  # a share of exactly 1 has no timestep of its own


def timestep_weights(config: TrainConfig, count: int, shift: float) -> Tensor:
    """The relative frequency of each of `count` timesteps, (count,), for a distribution that is given by weights.

    A shift moves the points at which the distribution is evaluated, and its derivative corrects the density. SIGMOID
    is shifted twice, as in OneTrainer.
    """
    even = torch.linspace(0, 1, count)
    points = even / (shift - shift * even + even)
    center, steepness = config.noising_bias + 0.5, config.noising_weight
    if config.timestep_distribution is Distribution.COS_MAP:  # arXiv:2403.03206, section 3.1
        weights = 2 / (math.pi - 2 * math.pi * points + 2 * math.pi * points**2)
    elif config.timestep_distribution is Distribution.SIGMOID:
        points = points / (shift - shift * points + points)
        weights = torch.sigmoid(steepness * (points - center))
    else:
        weights = torch.clamp(2 - steepness * (points - center) ** 2, min=0)
    return weights * shift / (shift + even - even * shift) ** 2


def _draw_share(config: TrainConfig, count: int, generator: Generator) -> Tensor:
    """Numbers from 0 to 1, (count,), of a continuous distribution."""
    weight, bias = config.noising_weight, config.noising_bias
    if config.timestep_distribution is Distribution.LOGIT_NORMAL:
        return torch.normal(bias, weight + 1, (count,), generator=generator, device=generator.device).sigmoid()
    if config.timestep_distribution is Distribution.BETA:
        return _draw_beta(max(SMALLEST_SHAPE, weight), max(SMALLEST_SHAPE, bias), count, generator)
    share = torch.rand(count, generator=generator, device=generator.device)
    if config.timestep_distribution is Distribution.HEAVY_TAIL:  # arXiv:2403.03206, "mode sampling with heavy tails"
        return 1 - share - weight * (torch.cos(math.pi / 2 * share) ** 2 - 1 + share)
    return share


def _draw_beta(alpha: float, beta: float, count: int, generator: Generator) -> Tensor:
    """Where one of the two is 1 the distribution's inverse is known; otherwise torch samples it."""
    if abs(beta - 1) < 1e-5:
        return torch.rand(count, generator=generator, device=generator.device) ** (1 / alpha)
    if abs(alpha - 1) < 1e-5:
        return 1 - torch.rand(count, generator=generator, device=generator.device) ** (1 / beta)
    first, second = (torch.tensor(shape, device=generator.device) for shape in (alpha, beta))
    return torch.distributions.Beta(first, second).sample((count,))  # takes torch's global generator, as in OneTrainer
