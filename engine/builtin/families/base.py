"""The interface of a model family that the trainer uses."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import ClassVar

import torch
from PIL import Image
from torch import Tensor, nn

from engine.builtin.config.enums import ModelType
from engine.builtin.config.train_config import SampleConfig, TrainConfig

OnStep = Callable[[int, int, Callable[[], Image.Image]], None]


@dataclass(frozen=True)
class Prediction:
    """The model's prediction for a noisy batch, and its target; both (batch, channels, height, width).

    `snr` (batch,) is the signal-to-noise ratio of each item's timestep.
    """

    predicted: Tensor
    target: Tensor
    snr: Tensor
    is_velocity: bool


@dataclass(frozen=True)
class Architecture:
    """The names of an architecture: in sd-scripts (`ss_base_model_version`), and in ModelSpec without a suffix."""

    kohya: str
    modelspec: str
    is_v2: bool  # of Stable Diffusion
    predicts_velocity: bool


class ModelFamily(ABC):
    """One architecture, loaded: encodes, predicts, samples and saves."""

    model_types: ClassVar[tuple[ModelType, ...]]
    size_multiple: int  # pixels; both sides of a training picture are multiples of it
    mask_scale: int  # pixels for one value of the prediction; masks are scaled down by it
    takes_mask: ClassVar[bool] = False  # an inpainting model: it sees a mask, and the picture outside the mask
    takes_sizes: ClassVar[bool] = False  # it sees how large each picture was, and which part of it is trained
    trains_pixels: bool = False  # it predicts pixels instead of latents

    @abstractmethod
    def __init__(self, config: TrainConfig, device: torch.device) -> None:
        """Load the base model; raises MissingModel."""

    @property
    @abstractmethod
    def parts(self) -> dict[str, nn.Module]:
        """The parts that can be trained, by the name of their settings in a config."""

    def whole_weights(self, name: str) -> list[nn.Parameter]:
        """The weights of a part that a fine-tune trains."""
        return list(self.parts[name].parameters())

    @abstractmethod
    def modules(self) -> dict[str, nn.Module]:
        """All modules whose weights a saved model holds, trained or not."""

    @property
    def text_encoders(self) -> tuple[str, ...]:
        """The parts that encode captions."""
        return ("text_encoder",)

    def encoder_of(self, name: str) -> str:
        """The text encoder from which a tensor of `encode_captions` comes."""
        return self.text_encoders[0]

    @property
    @abstractmethod
    def denoiser(self) -> str:
        """The part that removes the noise, to which the layer filter applies."""

    @property
    @abstractmethod
    def lora_prefixes(self) -> dict[str, str]:
        """By part, the prefix of its layers' names in a kohya-style LoRA file."""

    def kohya_layer(self, name: str) -> str:
        """The name of a layer in a kohya-style LoRA file, without its part's prefix."""
        return name.replace(".", "_")

    @property
    @abstractmethod
    def published_names(self) -> dict[str, str]:
        """By part, the prefix of its layers' names in a diffusers-style LoRA file."""

    @abstractmethod
    def picture_identity(self) -> str:
        """A text that changes if the same picture would be encoded differently."""

    @abstractmethod
    def caption_identity(self) -> str:
        """A text that changes if the same caption would be encoded differently."""

    @abstractmethod
    def encode_images(self, pixels: Tensor) -> dict[str, Tensor]:
        """Encode (batch, 3, height, width) in [-1, 1]; each result has the batch first."""

    @abstractmethod
    def encode_captions(self, captions: Sequence[str]) -> dict[str, Tensor]:
        """Encode captions; each result has the batch first. Gradients flow if the text encoder is trained."""

    @abstractmethod
    def checkpoint_gradients(self, part: nn.Module) -> None:
        """Make a part compute its activations again in the backward pass instead of keeping them."""

    @abstractmethod
    def predict(self, latents: dict[str, Tensor], text: dict[str, Tensor], generator: torch.Generator) -> Prediction:
        """Take timesteps, then noise from the generator, which is on the family's device, and predict.

        `latents` also has `sizes` (batch, 6) for a family that takes them: the height and width of each whole picture,
        the top and left of the trained part in the scaled picture, and that part's height and width.
        """

    @abstractmethod
    def sample(self, settings: SampleConfig, seed: int, on_step: OnStep) -> Image.Image:
        """Generate one picture; `on_step(step, steps, draw)` after each denoising step may raise to end it.

        `draw()` returns a small picture of the present state; it costs time only if it is called.
        """

    @abstractmethod
    def save_model(self, path: Path, as_folder: bool, dtype: torch.dtype, metadata: dict[str, str]) -> None:
        """Write the whole model: a diffusers folder, or one file in its original layout."""

    @abstractmethod
    def describe(self) -> Architecture:
        """The architecture, as the saved file names it."""
