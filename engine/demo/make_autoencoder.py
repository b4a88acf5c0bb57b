"""Train the demo's autoencoder: 64x64 pictures to latents of 4 channels, 16x16, and back."""

import logging
import math
from random import Random

import numpy as np
import torch
from diffusers import AutoencoderKL
from PIL import Image
from torch.nn import functional

from engine.demo.shapes import BASE_SHAPES, SIZE, random_figure, random_polygon

logger = logging.getLogger(__name__)

STEPS = 3000
DECODER_STEPS = 1500
BATCH_SIZE = 8
LEARNING_RATE = 2e-3
WARMUP_STEPS = 100
EDGE_WEIGHT = 4.0  # flat areas are easy and many; edges make the shape
KL_WEIGHT = 1e-4


def new_autoencoder() -> AutoencoderKL:
    """Return an untrained autoencoder that shrinks each side by 4."""
    return AutoencoderKL(
        down_block_types=("DownEncoderBlock2D",) * 3,
        up_block_types=("UpDecoderBlock2D",) * 3,
        block_out_channels=(16, 32, 64),
        layers_per_block=1,
        latent_channels=4,
        norm_num_groups=8,
        sample_size=SIZE,
        mid_block_add_attention=False,
    )


def train_autoencoder(seed: int, steps: int = STEPS) -> AutoencoderKL:
    """Train on the base shapes and on random polygons, so that it can draw corners of any kind.

    It never sees a star, but it can encode and decode one well: the UNet, not the autoencoder, decides the shape.
    """
    torch.manual_seed(seed)
    autoencoder = new_autoencoder()
    _train(autoencoder, list(autoencoder.parameters()), steps, Random(seed))
    return autoencoder.eval().requires_grad_(False)


def refine_decoder(autoencoder: AutoencoderKL, seed: int, steps: int = DECODER_STEPS) -> None:
    """Train the decoder longer on fixed latents: it corrects errors from the encoder's last changes."""
    torch.manual_seed(seed)
    weights = [*autoencoder.decoder.parameters(), *autoencoder.post_quant_conv.parameters()]
    for weight in weights:
        weight.requires_grad_(True)
    _train(autoencoder, weights, steps, Random(seed))
    autoencoder.eval().requires_grad_(False)


def _train(autoencoder: AutoencoderKL, weights: list[torch.nn.Parameter], steps: int, random: Random) -> None:
    optimizer = torch.optim.AdamW(weights, lr=LEARNING_RATE, weight_decay=1e-4)
    schedule = torch.optim.lr_scheduler.LambdaLR(optimizer, lambda step: warmup_and_cosine(step, steps, WARMUP_STEPS))
    for step in range(1, steps + 1):
        loss = _loss(autoencoder, as_pixels([_training_picture(random) for _ in range(BATCH_SIZE)]))
        loss.backward()
        torch.nn.utils.clip_grad_norm_(weights, 1.0)
        optimizer.step()
        optimizer.zero_grad()
        schedule.step()
        if step % 100 == 0:
            logger.info("autoencoder: step %d of %d, loss %.4f", step, steps, loss.item())


def as_pixels(pictures: list[Image.Image]) -> torch.Tensor:
    """Return the pictures as float32 (n, 3, h, w) in [-1, 1]."""
    array = np.stack([np.asarray(picture, dtype=np.float32) for picture in pictures])
    return torch.from_numpy(array / 127.5 - 1).permute(0, 3, 1, 2).contiguous()


def warmup_and_cosine(step: int, steps: int, warmup_steps: int) -> float:
    """Return the share of the learning rate at a step: linear warm-up, then half a cosine."""
    if step < warmup_steps:
        return (step + 1) / warmup_steps
    return 0.5 * (1 + math.cos(math.pi * (step - warmup_steps) / max(1, steps - warmup_steps)))


def _training_picture(random: Random) -> Image.Image:
    if random.random() < 0.5:
        return random_polygon(random)
    return random_figure(random, random.choice(BASE_SHAPES)).draw()


def _loss(autoencoder: AutoencoderKL, pixels: torch.Tensor) -> torch.Tensor:
    latents = autoencoder.encode(pixels).latent_dist
    error = autoencoder.decode(latents.sample()).sample - pixels
    weighted = (error.abs() + error.square()) * (1 + EDGE_WEIGHT * _edges(pixels))
    return weighted.mean() + KL_WEIGHT * latents.kl().mean() / latents.mean[0].numel()


def _edges(pixels: torch.Tensor) -> torch.Tensor:
    """Return (n, 1, h, w): 1 within two pixels of an edge, else 0."""
    brightest = functional.max_pool2d(pixels, 5, stride=1, padding=2)
    darkest = -functional.max_pool2d(-pixels, 5, stride=1, padding=2)
    return ((brightest - darkest).amax(dim=1, keepdim=True) > 0.1).float()
