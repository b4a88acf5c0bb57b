"""A Stable Diffusion of the smallest complete size, and a few pictures to train it on."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import torch
from diffusers import AutoencoderKL, DDIMScheduler, StableDiffusionPipeline, UNet2DConditionModel
from PIL import Image
from transformers import CLIPTextConfig, CLIPTextModel

from engine.builtin.config.train_config import TrainConfig
from engine.builtin.trainer import GenericTrainer
from engine.demo.make_tokenizer import make_tokenizer
from engine.interface.callbacks import NAMES, TrainCallbacks
from engine.interface.commands import TrainCommands

WIDTH = 16


def make_model(
    folder: Path,
    prediction_type: str = "epsilon",
    levels: int = 2,
    kind: type = StableDiffusionPipeline,
    inputs: int = 4,
) -> Path:
    """Save an untrained model, always the same. With one level it has no layers that change the size.

    `kind` is the class of its pipeline, `inputs` the UNet's channels: 9 for inpainting.
    """
    torch.manual_seed(0)
    tokenizer = make_tokenizer()
    text_encoder = CLIPTextModel(
        CLIPTextConfig(
            vocab_size=len(tokenizer),
            hidden_size=WIDTH,
            intermediate_size=WIDTH,
            num_hidden_layers=1,
            num_attention_heads=2,
            max_position_embeddings=tokenizer.model_max_length,
            bos_token_id=tokenizer.bos_token_id,
            eos_token_id=tokenizer.eos_token_id,
            pad_token_id=tokenizer.pad_token_id,
        )
    )
    unet = UNet2DConditionModel(
        sample_size=8,
        in_channels=inputs,
        block_out_channels=(WIDTH,) * levels,
        down_block_types=("CrossAttnDownBlock2D", "DownBlock2D")[:levels],
        mid_block_type="UNetMidBlock2DCrossAttn" if levels > 1 else None,
        up_block_types=("UpBlock2D", "CrossAttnUpBlock2D")[-levels:],
        layers_per_block=1,
        norm_num_groups=4,
        cross_attention_dim=WIDTH,
        attention_head_dim=2,
    )
    vae = AutoencoderKL(
        down_block_types=("DownEncoderBlock2D",) * 3,
        up_block_types=("UpDecoderBlock2D",) * 3,
        block_out_channels=(8, 8, 8),
        layers_per_block=1,
        norm_num_groups=4,
        sample_size=32,
    )
    scheduler = DDIMScheduler(
        beta_schedule="scaled_linear", clip_sample=False, steps_offset=1, prediction_type=prediction_type
    )
    kind(vae, text_encoder, tokenizer, unet, scheduler, None, None, requires_safety_checker=False).save_pretrained(
        folder
    )
    return folder


def make_pictures(folder: Path, count: int = 6, size: tuple[int, int] = (32, 32)) -> Path:
    """Save plain pictures of different grays, each with a caption."""
    folder.mkdir(parents=True, exist_ok=True)
    for number in range(count):
        Image.new("RGB", size, (40 * number % 256,) * 3).save(folder / f"{number}.png")
        (folder / f"{number}.txt").write_text(f"a red circle number {number}")
    return folder


class Recorder:
    """Keeps the callbacks of a training, in order: (name, arguments)."""

    def __init__(self) -> None:
        self.calls: list[tuple[str, tuple[Any, ...]]] = []
        self.callbacks = TrainCallbacks(**{name: self._keeper(name) for name in NAMES})
        self.reactions: dict[str, Any] = {}
        self.facts: dict[str, Any] = {}  # of the newest artifact

    def _keeper(self, name: str) -> Any:
        def keep(*args: Any, **kwargs: Any) -> None:
            if name == "on_update_train_progress":
                args = (args[0].copy(), *args[1:])
            self.calls.append((name, args))
            self.facts = kwargs or self.facts
            if name in self.reactions:
                self.reactions[name](*args)

        return keep

    def of(self, name: str) -> list[tuple[Any, ...]]:
        return [args for called, args in self.calls if called == name]

    @property
    def losses(self) -> dict[int, float]:
        return {step: values["loss"] for step, values in self.of("on_metrics")}


class Training:
    """One training of the tiny model in a folder of its own."""

    def __init__(self, model: Path, pictures: Path, folder: Path, resume_from: Path | None = None, **changes: Any):
        self.recorder = Recorder()
        self.commands = TrainCommands()
        if changes.get("output_model_format") == "DIFFUSERS":
            changes["output_model_destination"] = str(folder / "model")
        self.config = TrainConfig.from_dict(config_for(model, pictures, folder) | changes)
        self.trainer = GenericTrainer(self.config, self.recorder.callbacks, self.commands, resume_from)

    def run(self) -> Training:
        self.trainer.start()
        self.trainer.train()
        self.trainer.end()
        return self

    def at_step(self, step: int, action: Any) -> None:
        """Do something once, as soon as this many steps are done."""

        def react(progress: Any, *_: Any) -> None:
            if progress.global_step == step and not react.done:  # type: ignore[attr-defined]
                react.done = True  # type: ignore[attr-defined]
                action()

        react.done = False  # type: ignore[attr-defined]
        self.recorder.reactions["on_update_train_progress"] = react

    def artifacts(self, kind: str) -> list[Path]:
        return [Path(path) for found, path, *_ in self.recorder.of("on_artifact") if found == kind]


def config_for(model: Path, pictures: Path, folder: Path) -> dict[str, Any]:
    return {
        "model_type": "STABLE_DIFFUSION_15",
        "training_method": "LORA",
        "base_model_name": str(model),
        "concepts": [{"path": str(pictures)}],
        "workspace_dir": str(folder / "workspace"),
        "cache_dir": str(folder / "cache"),
        "output_model_destination": str(folder / "model.safetensors"),
        "output_model_format": "KOHYA_LORA",
        "train_device": "cpu",
        "train_dtype": "FLOAT_32",
        "resolution": "32",
        "batch_size": 2,
        "epochs": 2,
        "learning_rate": 0.01,
        "learning_rate_warmup_steps": 0,
        "lora_rank": 4,
        "lora_alpha": 2,
        "backup_after_unit": "NEVER",
        "backup_before_save": False,
        "sample_after_unit": "NEVER",
        "sample_image_format": "PNG",
        "samples": [sample("a red circle")],
    }


def sample(prompt: str, **changes: Any) -> dict[str, Any]:
    return {"prompt": prompt, "width": 32, "height": 32, "diffusion_steps": 2, "noise_scheduler": "DDIM"} | changes
