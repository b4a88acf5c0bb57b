"""The noise of a diffusion model: its share at each timestep, and the noise that is added to a latent."""

from __future__ import annotations

import torch
from torch import Generator, Tensor

from engine.builtin.config.train_config import TrainConfig


class NoiseSchedule:
    """The shares of picture and noise at each timestep (Ho et al., arXiv:2006.11239), from the betas (steps,)."""

    def __init__(self, betas: Tensor) -> None:
        self.betas = betas
        self.kept = torch.cumprod(1 - betas, dim=0)

    def __len__(self) -> int:
        return len(self.betas)

    def add_noise(self, clean: Tensor, noise: Tensor, timesteps: Tensor) -> Tensor:
        """The noisy latents, of the shape of the clean ones (batch, channels, height, width)."""
        picture, disturbance = self._shares(timesteps, clean)
        return clean * picture + noise * disturbance

    def velocity(self, clean: Tensor, noise: Tensor, timesteps: Tensor) -> Tensor:
        """The target of velocity prediction (Salimans and Ho, arXiv:2202.00512)."""
        picture, disturbance = self._shares(timesteps, clean)
        return noise * picture - clean * disturbance

    def snr(self, timesteps: Tensor) -> Tensor:
        """The signal-to-noise ratio at each timestep (batch,)."""
        kept = self.kept[timesteps]
        return kept / (1 - kept)

    def offset_strength(self) -> Tensor:
        """The strength of generalized offset noise at each timestep (steps,): Kutsuna, arXiv:2412.03134, equation 34.

        It grows to 1 at the last timestep, so that each step of the reverse process has the same share.
        """
        betas = self.betas.double()
        kept = torch.cumprod(1 - betas, dim=0)
        kept_before = torch.cat([kept.new_ones(1), kept[:-1]])
        ratios = betas / (1 - betas) * kept_before.sqrt() / (1 - kept_before)
        terms, total = [1.0], 1.0
        for ratio, before in zip(ratios[1:].tolist(), kept_before[1:].tolist(), strict=True):
            terms.append(ratio * total / before**0.5)
            total += terms[-1]
        strength = torch.tensor(terms, dtype=torch.double).cumsum(dim=0).to(kept.device) / (1 - kept).sqrt()
        return strength / strength[-1]

    def _shares(self, timesteps: Tensor, like: Tensor) -> tuple[Tensor, Tensor]:
        kept = self.kept[timesteps].view(-1, *[1] * (like.dim() - 1))
        return kept.sqrt(), (1 - kept).sqrt()


def draw_noise(config: TrainConfig, clean: Tensor, strength: Tensor | None, generator: Generator) -> Tensor:
    """Gaussian noise of the shape of `clean`, with the config's offset and perturbation noise.

    Offset noise shifts each channel as a whole (crosslabs.org, 2023), by `strength` (batch,) if it is generalized.
    Perturbation noise is a second noise; it is a part of the target too, as in OneTrainer.
    """
    noise = _normal(clean.shape, clean, generator)
    if config.offset_noise_weight > 0:
        shift = _normal((*clean.shape[:2], *[1] * (clean.dim() - 2)), clean, generator)
        if strength is not None:
            shift = shift * strength.to(clean.dtype).view(-1, *[1] * (clean.dim() - 1))
        noise = noise + config.offset_noise_weight * shift
    if config.perturbation_noise_weight > 0:
        noise = noise + config.perturbation_noise_weight * _normal(clean.shape, clean, generator)
    return noise


def _normal(shape: tuple[int, ...] | torch.Size, like: Tensor, generator: Generator) -> Tensor:
    return torch.randn(shape, generator=generator, device=like.device, dtype=like.dtype)
