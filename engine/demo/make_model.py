"""Train the demo's base model: `python -m engine.demo.make_model [--autoencoder FOLDER]`, about an hour on 2 cores.

The result is a small but complete Stable Diffusion: autoencoder, text encoder, tokenizer, UNet and scheduler in
diffusers' layout. It was trained on circles, squares and triangles in six colours, and never on a star.
"""

import argparse
import copy
import logging
from pathlib import Path
from random import Random

import torch
from diffusers import AutoencoderKL, DDIMScheduler, StableDiffusionPipeline, UNet2DConditionModel
from torch.nn import functional
from transformers import CLIPTextConfig, CLIPTextModel, CLIPTokenizer

from engine.builtin.families.portable import make_portable
from engine.demo.make_autoencoder import as_pixels, refine_decoder, train_autoencoder, warmup_and_cosine
from engine.demo.make_tokenizer import make_tokenizer
from engine.demo.shapes import BASE_SHAPES, random_figure

logger = logging.getLogger(__name__)

MODEL = Path(__file__).parent / "model"
SEED = 1
PICTURES = 12_000
STEPS = 3_500
BATCH_SIZE = 32
LEARNING_RATE = 1.5e-3
WARMUP_STEPS = 200
EMA_DECAY = 0.998
CAPTION_DROPOUT = 0.1  # so that the model also learns pictures without a caption, as guidance needs
SAVE_EVERY = 500


def new_text_encoder(tokenizer: CLIPTokenizer) -> CLIPTextModel:
    """Return an untrained CLIP text encoder of two layers."""
    return CLIPTextModel(
        CLIPTextConfig(
            vocab_size=len(tokenizer),
            hidden_size=96,
            intermediate_size=192,
            num_hidden_layers=2,
            num_attention_heads=4,
            max_position_embeddings=tokenizer.model_max_length,
            projection_dim=96,
            bos_token_id=tokenizer.bos_token_id,
            eos_token_id=tokenizer.eos_token_id,
            pad_token_id=tokenizer.pad_token_id,
        )
    )


def new_unet() -> UNet2DConditionModel:
    """Return an untrained UNet for latents of 4 channels, 16x16."""
    return UNet2DConditionModel(
        sample_size=16,
        block_out_channels=(48, 80, 96),
        down_block_types=("CrossAttnDownBlock2D", "CrossAttnDownBlock2D", "DownBlock2D"),
        up_block_types=("UpBlock2D", "CrossAttnUpBlock2D", "CrossAttnUpBlock2D"),
        layers_per_block=1,
        norm_num_groups=16,
        cross_attention_dim=96,
        attention_head_dim=4,
    )


def new_scheduler() -> DDIMScheduler:
    """Return the noise schedule of DDPM (arXiv:2006.11239), whose last step is nearly pure noise.

    Stable Diffusion's own schedule leaves some of the picture in its last step, which turns flat backgrounds gray.
    Velocity (arXiv:2202.00512) is predicted, because a small error in predicted noise would grow a hundredfold from
    there to the picture.
    """
    return DDIMScheduler(
        num_train_timesteps=1000,
        beta_schedule="linear",
        beta_start=0.0001,
        beta_end=0.02,
        clip_sample=False,
        set_alpha_to_one=True,
        steps_offset=1,
        timestep_spacing="trailing",
        prediction_type="v_prediction",
    )


@torch.no_grad()
def even_out_channels(autoencoder: AutoencoderKL, pixels: torch.Tensor) -> None:
    """Rescale the latent channels to a standard deviation of 1 each, without changing the decoded picture.

    The factors are folded into the convolutions on both sides of the latents; the UNet then sees channels of equal
    importance, and the scaling factor is 1.
    """
    latents = autoencoder.encode(pixels).latent_dist.mode()
    mean, std = latents.mean(dim=(0, 2, 3)), latents.std(dim=(0, 2, 3))
    into, out_of = autoencoder.quant_conv, autoencoder.post_quant_conv
    channels = len(std)
    into.weight[:channels] /= std[:, None, None, None]
    into.bias[:channels] = (into.bias[:channels] - mean) / std
    into.bias[channels:] -= 2 * std.log()
    out_of.bias += (out_of.weight[:, :, 0, 0] * mean).sum(dim=1)
    out_of.weight *= std[None, :, None, None]
    autoencoder.register_to_config(scaling_factor=1.0)


@torch.no_grad()
def draw_latents(autoencoder: AutoencoderKL, random: Random, count: int) -> tuple[torch.Tensor, list[str]]:
    """Draw pictures of the base shapes; return their latents (count, 4, 16, 16) and captions."""
    figures = [random_figure(random, random.choice(BASE_SHAPES)) for _ in range(count)]
    batches = [figures[start : start + 100] for start in range(0, count, 100)]
    latents = [autoencoder.encode(as_pixels([f.draw() for f in batch])).latent_dist.sample() for batch in batches]
    return torch.cat(latents), [figure.caption for figure in figures]


class BaseTraining:
    """Trains UNet and text encoder together on latents that are computed once."""

    def __init__(self, autoencoder: AutoencoderKL, steps: int) -> None:
        torch.manual_seed(SEED)
        self.steps = steps
        self.random = Random(SEED)
        self.autoencoder = autoencoder
        self.tokenizer = make_tokenizer()
        self.scheduler = new_scheduler()
        self.parts = torch.nn.ModuleDict({"unet": new_unet(), "text_encoder": new_text_encoder(self.tokenizer)})
        self.averaged = copy.deepcopy(self.parts).requires_grad_(False)
        self.latents, captions = draw_latents(autoencoder, self.random, PICTURES)
        self.token_ids = self._tokenize(captions)
        self.no_caption = self._tokenize([""])
        self.optimizer = torch.optim.AdamW(self.parts.parameters(), lr=LEARNING_RATE, weight_decay=1e-3)
        self.schedule = torch.optim.lr_scheduler.LambdaLR(
            self.optimizer, lambda step: warmup_and_cosine(step, steps, WARMUP_STEPS)
        )

    def _tokenize(self, captions: list[str]) -> torch.Tensor:
        return self.tokenizer(captions, padding="max_length", truncation=True, return_tensors="pt").input_ids

    def run(self, folder: Path) -> None:
        total = torch.zeros(())
        for step in range(1, self.steps + 1):
            total += self._step()
            if step % 100 == 0:
                logger.info("base model: step %d of %d, loss %.4f", step, self.steps, total.item() / 100)
                total.zero_()
            if step % SAVE_EVERY == 0 or step == self.steps:
                self.save(folder)

    def _step(self) -> torch.Tensor:
        chosen = torch.randint(len(self.latents), (BATCH_SIZE,))
        token_ids = self.token_ids[chosen]
        token_ids[torch.rand(BATCH_SIZE) < CAPTION_DROPOUT] = self.no_caption
        noise = torch.randn_like(self.latents[chosen])
        timesteps = torch.randint(1000, (BATCH_SIZE,))
        noisy = self.scheduler.add_noise(self.latents[chosen], noise, timesteps)
        hidden = self.parts["text_encoder"](token_ids).last_hidden_state
        velocity = self.scheduler.get_velocity(self.latents[chosen], noise, timesteps)
        loss = functional.mse_loss(self.parts["unet"](noisy, timesteps, hidden).sample, velocity)
        loss.backward()
        torch.nn.utils.clip_grad_norm_(self.parts.parameters(), 1.0)
        self.optimizer.step()
        self.optimizer.zero_grad()
        self.schedule.step()
        for average, weight in zip(self.averaged.parameters(), self.parts.parameters(), strict=True):
            average.lerp_(weight.detach(), 1 - EMA_DECAY)
        return loss.detach()

    def save(self, folder: Path) -> None:
        """Write the averaged weights as a pipeline in half precision."""
        pipeline = StableDiffusionPipeline(
            vae=copy.deepcopy(self.autoencoder),
            text_encoder=copy.deepcopy(self.averaged["text_encoder"]),
            tokenizer=self.tokenizer,
            unet=copy.deepcopy(self.averaged["unet"]),
            scheduler=self.scheduler,
            safety_checker=None,
            feature_extractor=None,
            requires_safety_checker=False,
        )
        pipeline.to(torch.float16).save_pretrained(folder)
        make_portable(folder)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--autoencoder", type=Path, help="a folder with a trained autoencoder, instead of training one")
    parser.add_argument("--output", type=Path, default=MODEL)
    parser.add_argument("--steps", type=int, default=STEPS)
    options = parser.parse_args()
    logging.basicConfig(level=logging.INFO, format="%(asctime)s %(message)s")
    if options.autoencoder:
        autoencoder = AutoencoderKL.from_pretrained(options.autoencoder).eval().requires_grad_(False)
    else:
        autoencoder = train_autoencoder(SEED)
        refine_decoder(autoencoder, SEED + 1)
    random = Random(SEED)
    even_out_channels(
        autoencoder, as_pixels([random_figure(random, random.choice(BASE_SHAPES)).draw() for _ in range(300)])
    )
    BaseTraining(autoencoder, options.steps).run(options.output)


if __name__ == "__main__":
    main()
