"""Stable Diffusion 1.x and 2.x: a UNet on latents, one CLIP text encoder, noise or velocity prediction."""

from __future__ import annotations

import copy
import hashlib
import json
from collections.abc import Sequence
from contextlib import suppress
from pathlib import Path
from typing import Any, ClassVar

import torch
from diffusers import (
    DDIMScheduler,
    DDPMScheduler,
    DPMSolverMultistepScheduler,
    EulerAncestralDiscreteScheduler,
    EulerDiscreteScheduler,
    StableDiffusionPipeline,
    UniPCMultistepScheduler,
)
from PIL import Image
from safetensors import SafetensorError
from torch import Tensor, nn

from engine.builtin.config.enums import ModelType, NoiseScheduler
from engine.builtin.config.train_config import SampleConfig, TrainConfig, whole_parts
from engine.builtin.families.base import Architecture, ModelFamily, OnStep, Prediction
from engine.builtin.families.model_files import find_model
from engine.builtin.families.noise import NoiseSchedule, draw_noise
from engine.builtin.families.portable import make_portable
from engine.builtin.families.precision import autocast, to_device, torch_dtype
from engine.builtin.families.published import published_configs
from engine.builtin.families.single_file import clip, configs_within, open_clip, save_single_file
from engine.builtin.families.timesteps import draw_timesteps
from engine.interface.errors import BadConfig, MissingModel, Problem
from engine.paths.mirror import mirrored

DPMPP_SDE = {"algorithm_type": "sde-dpmsolver++"}
GLIMPSE = 32  # latents, the longer side: decoding them takes a moment even on a CPU
SCHEDULERS: dict[NoiseScheduler, tuple[Any, dict[str, Any]]] = {
    NoiseScheduler.DDIM: (DDIMScheduler, {}),
    NoiseScheduler.EULER: (EulerDiscreteScheduler, {}),
    NoiseScheduler.EULER_KARRAS: (EulerDiscreteScheduler, {"use_karras_sigmas": True}),
    NoiseScheduler.EULER_A: (EulerAncestralDiscreteScheduler, {}),
    NoiseScheduler.DPMPP: (DPMSolverMultistepScheduler, {}),
    NoiseScheduler.DPMPP_KARRAS: (DPMSolverMultistepScheduler, {"use_karras_sigmas": True}),
    NoiseScheduler.DPMPP_SDE: (DPMSolverMultistepScheduler, DPMPP_SDE),
    NoiseScheduler.DPMPP_SDE_KARRAS: (DPMSolverMultistepScheduler, {**DPMPP_SDE, "use_karras_sigmas": True}),
    NoiseScheduler.UNIPC: (UniPCMultistepScheduler, {}),
    NoiseScheduler.UNIPC_KARRAS: (UniPCMultistepScheduler, {"use_karras_sigmas": True}),
}
ZERO_TERMINAL_SNR = {"rescale_betas_zero_snr": True, "prediction_type": "v_prediction", "timestep_spacing": "trailing"}
CFG_RESCALE = 0.7  # of a model whose last timestep is pure noise: Lin et al., arXiv:2305.08891, section 3.4


class StableDiffusion(ModelFamily):
    """Stable Diffusion 1.x and 2.x, from a diffusers folder, one safetensors file, or the hub."""

    model_types: ClassVar[tuple[ModelType, ...]] = (
        ModelType.STABLE_DIFFUSION_15,
        ModelType.STABLE_DIFFUSION_20,
        ModelType.STABLE_DIFFUSION_20_BASE,
        ModelType.STABLE_DIFFUSION_21,
        ModelType.STABLE_DIFFUSION_21_BASE,
    )
    pipeline_class: ClassVar[type[Any]] = StableDiffusionPipeline

    left_out: ClassVar[dict[str, Any]] = {  # of the pipeline, since a training does without
        "safety_checker": None,
        "feature_extractor": None,
        "requires_safety_checker": False,
    }

    def __init__(self, config: TrainConfig, device: torch.device) -> None:
        self.config = config
        self.device = device
        self.pipeline = _load(config, self.pipeline_class, self.left_out)
        self.pipeline.set_progress_bar_config(disable=True)
        self._check_layer_skips({name: self._skip_of(name) for name in self.text_encoders})
        self._set_scheduler()
        self._place_parts()
        self.noise = NoiseSchedule(DDPMScheduler.from_config(self.pipeline.scheduler.config).betas.to(device))
        self.offset_strength = self.noise.offset_strength() if config.generalized_offset_noise else None
        scale = 2 ** (len(self.pipeline.vae.config.block_out_channels) - 1)
        self.mask_scale = scale
        self.size_multiple = scale * self._smallest_side(len(self.pipeline.unet.config.block_out_channels))

    def _smallest_side(self, levels: int) -> int:
        """The latents of which both sides of a training picture are multiples, by the levels of the UNet."""
        return 2 ** (levels - 1)

    @property
    def parts(self) -> dict[str, nn.Module]:
        return {"unet": self.pipeline.unet, "text_encoder": self.pipeline.text_encoder}

    @property
    def denoiser(self) -> str:
        return "unet"

    @property
    def lora_prefixes(self) -> dict[str, str]:
        return {"unet": "lora_unet_", "text_encoder": "lora_te_text_model_"}

    @property
    def published_names(self) -> dict[str, str]:
        return {"unet": "unet.", "text_encoder": "text_encoder.text_model."}

    def picture_identity(self) -> str:
        """A digest of the VAE's encoder, so that another model in the same folder is recognized."""
        encoder = nn.ModuleList([self.pipeline.vae.encoder, self.pipeline.vae.quant_conv or nn.Identity()])
        return _digest(encoder, [dict(self.pipeline.vae.config), "mean"])  # earlier entries hold a deviation too

    def caption_identity(self) -> str:
        """A digest of the text encoders and tokenizers, and of the layers that are left out."""
        digests = []
        for name in self.text_encoders:
            tokenizer = getattr(self.pipeline, name.replace("text_encoder", "tokenizer"))
            digests.append(_digest(self.parts_of_text[name], [tokenizer.get_vocab(), self._skip_of(name)]))
        return "/".join(digests)

    @property
    def parts_of_text(self) -> dict[str, nn.Module]:
        return {name: getattr(self.pipeline, name) for name in self.text_encoders}

    def _skip_of(self, encoder: str) -> int:
        return int(getattr(self.config, f"{encoder}_layer_skip"))

    @torch.no_grad()
    def encode_images(self, pixels: Tensor) -> dict[str, Tensor]:
        """The mean of each latent, unscaled: (batch, channels, height / 8, width / 8)."""
        vae = self.pipeline.vae
        return {"mean": vae.encode(pixels.to(self.device, vae.dtype)).latent_dist.mean.float()}

    def encode_captions(self, captions: Sequence[str]) -> dict[str, Tensor]:
        """The text encoder's hidden state: (batch, tokens, width)."""
        return {"hidden": self._hidden(captions, self.config.text_encoder_layer_skip)}

    def _hidden(self, captions: Sequence[str], layer_skip: int) -> Tensor:
        """The state after all layers but the last `layer_skip`, normalized as the last layer's is."""
        tokens = self.pipeline.tokenizer(list(captions), padding="max_length", truncation=True, return_tensors="pt")
        encoder, ids = self.pipeline.text_encoder, to_device(tokens.input_ids, self.device)
        if not layer_skip:
            return encoder(ids).last_hidden_state
        return encoder.final_layer_norm(encoder(ids, output_hidden_states=True).hidden_states[-1 - layer_skip])

    def checkpoint_gradients(self, part: nn.Module) -> None:
        if self.device.type == "cpu":
            return  # main memory is usually enough, and computing twice costs a third of the speed
        if part is self.pipeline.unet:
            self.pipeline.unet.enable_gradient_checkpointing()  # type: ignore[operator]
        else:
            part.gradient_checkpointing_enable()  # type: ignore[operator]

    def predict(self, latents: dict[str, Tensor], text: dict[str, Tensor], generator: torch.Generator) -> Prediction:
        clean = to_device(latents["mean"], self.device) * self.pipeline.vae.config.scaling_factor
        timesteps = draw_timesteps(self.config, len(clean), len(self.noise), generator)
        strength = self.offset_strength[timesteps] if self.offset_strength is not None else None
        noise = draw_noise(self.config, clean, strength, generator)
        noisy = self.noise.add_noise(clean, noise, timesteps)
        seen = self._unet_input(noisy, latents)
        predicted = self.pipeline.unet(seen, timesteps, **self._condition(text, latents), return_dict=False)[0]
        target = self.noise.velocity(clean, noise, timesteps) if self.is_velocity else noise
        return Prediction(predicted.float(), target.float(), self.noise.snr(timesteps), self.is_velocity)

    @property
    def is_velocity(self) -> bool:
        return self.pipeline.scheduler.config.prediction_type == "v_prediction"

    def _unet_input(self, noisy: Tensor, latents: dict[str, Tensor]) -> Tensor:
        """The noisy latents, and beside them what else the model sees: (batch, channels, height, width)."""
        return noisy

    def _condition(self, text: dict[str, Tensor], latents: dict[str, Tensor]) -> dict[str, Any]:
        """The facts about the pictures that the UNet takes, as its arguments."""
        return {"encoder_hidden_states": to_device(text["hidden"], self.device)}

    def _sample_texts(self, settings: SampleConfig) -> dict[str, Tensor]:
        """The encoded prompts of a sample, as the pipeline's arguments. Raises BadConfig."""
        skip = settings.text_encoder_1_layer_skip or self.config.text_encoder_layer_skip
        self._check_layer_skips({"text_encoder_1": skip})
        return {
            "prompt_embeds": self._hidden([settings.prompt], skip),
            "negative_prompt_embeds": self._hidden([settings.negative_prompt], skip),
        }

    def _sample_inputs(self, settings: SampleConfig) -> dict[str, object]:
        """What the pipeline needs for a sample besides captions, sizes and steps. Raises BadConfig."""
        return {"guidance_rescale": CFG_RESCALE} if self.config.rescale_noise_scheduler_to_zero_terminal_snr else {}

    @torch.no_grad()
    def sample(self, settings: SampleConfig, seed: int, on_step: OnStep) -> Image.Image:
        kind, changes = SCHEDULERS[settings.noise_scheduler]
        training_scheduler = self.pipeline.scheduler
        self.pipeline.scheduler = kind.from_config(training_scheduler.config, **changes)

        def report(pipeline: object, step: int, timestep: object, values: dict[str, Tensor]) -> dict[str, Tensor]:
            on_step(step + 1, settings.diffusion_steps, lambda: self._glimpse(values["latents"]))
            return values

        seen = (self.pipeline.unet, *self.parts_of_text.values())
        formats = {next(part.parameters()).dtype for part in seen} - {torch.float32}
        try:
            with autocast(self.device, formats.pop() if formats else torch.float32):  # parts may differ in their format
                latents = self.pipeline(
                    **self._sample_texts(settings),
                    width=settings.width,
                    height=settings.height,
                    num_inference_steps=settings.diffusion_steps,
                    guidance_scale=settings.cfg_scale,
                    generator=torch.Generator("cpu").manual_seed(seed),
                    callback_on_step_end=report,
                    output_type="latent",
                    **self._sample_inputs(settings),
                ).images
        finally:
            self.pipeline.scheduler = training_scheduler
        return self._decoded(latents)

    def _glimpse(self, latents: Tensor) -> Image.Image:
        """A small picture of unfinished latents; shrinking them averages much of the noise away."""
        factor = min(1.0, GLIMPSE / max(latents.shape[-2:]))
        small = torch.nn.functional.interpolate(latents.float(), scale_factor=factor, mode="area")
        return self._decoded(small)

    def _decoded(self, latents: Tensor) -> Image.Image:
        """One picture from its latents, in the VAE's own format: half of its precision would be visible."""
        vae = self.pipeline.vae
        decoded = vae.decode(latents.to(vae.dtype) / vae.config.scaling_factor, return_dict=False)[0]
        return self.pipeline.image_processor.postprocess(decoded.float(), do_denormalize=[True])[0]

    def save_model(self, path: Path, as_folder: bool, dtype: torch.dtype, metadata: dict[str, str]) -> None:
        if not as_folder:
            save_single_file(self.pipeline, path, dtype, metadata, self._texts_in_one_file())
            return
        own = self.modules()
        try:
            for name, part in own.items():  # a copy is rounded: training continues with the unrounded weights
                part.to("cpu")
                setattr(self.pipeline, name, part if part.dtype is dtype else copy.deepcopy(part).to(dtype))
            self.pipeline.save_pretrained(path)
            make_portable(path)
        finally:
            for name, part in own.items():
                setattr(self.pipeline, name, part.to(self.device))

    def _texts_in_one_file(self) -> dict[str, Tensor]:
        """The weights of the text encoders, named as in a single file."""
        layout = clip if self._is_v1 else open_clip
        return layout(self.pipeline.text_encoder.state_dict(), "cond_stage_model.")

    def describe(self) -> Architecture:
        velocity = self.is_velocity
        v2 = "768-v" if velocity else "512"
        return Architecture(
            kohya=("sd_v1" if self._is_v1 else "sd_v2") + ("_v" if velocity else ""),
            modelspec="stable-diffusion-v1" if self._is_v1 else f"stable-diffusion-v2-{v2}",
            is_v2=not self._is_v1,
            predicts_velocity=velocity,
        )

    @property
    def _is_v1(self) -> bool:
        return self.config.model_type.startswith(ModelType.STABLE_DIFFUSION_15)

    def modules(self) -> dict[str, nn.Module]:
        return {"vae": self.pipeline.vae, **self.parts}

    def _check_layer_skips(self, skips: dict[str, int]) -> None:
        """Raises BadConfig if more layers are left out than a text encoder has; `skips` by its name in settings."""
        for name, skip in skips.items():
            layers = getattr(self.pipeline, name.replace("_1", "")).config.num_hidden_layers
            if skip >= layers:
                why = f"is {skip}, but the text encoder has {layers} layers; choose at most {layers - 1}"
                raise BadConfig([Problem(f"{name}_layer_skip", why)])

    def _set_scheduler(self) -> None:
        """Let OneTrainer's switches override the model's own scheduler, which samples and saved models use too."""
        config, scheduler = self.config, self.pipeline.scheduler
        if config.rescale_noise_scheduler_to_zero_terminal_snr:  # needs velocity: noise says nothing where all is noise
            self.pipeline.scheduler = DDIMScheduler.from_config(scheduler.config, **ZERO_TERMINAL_SNR)
        elif config.force_v_prediction or config.force_epsilon_prediction:
            forced = "v_prediction" if config.force_v_prediction else "epsilon"
            scheduler.register_to_config(prediction_type=forced)

    def _place_parts(self) -> None:
        """Frozen weights in the format of their settings; trained weights in float32, so that small changes count."""
        for name, part in self.modules().items():
            settings = getattr(self.config, name)
            whole = name in whole_parts(self.config)
            mixed = self.config.train_dtype is not self.config.train_dtype.FLOAT_32
            dtype = torch_dtype(settings.weight_dtype) if mixed and not whole else torch.float32
            part.to(self.device, torch.float32 if self.device.type == "cpu" else dtype)
            part.requires_grad_(False)
            part.eval()


def _digest(part: nn.Module, facts: object) -> str:
    """A digest of a part's weights, without a LoRA on it, and of other facts."""
    digest = hashlib.sha256(json.dumps(facts, sort_keys=True, default=str).encode())
    for name, weight in part.named_parameters():
        if "lora_" not in name:
            digest.update(f"{name}{weight.shape}{weight.dtype}{weight.detach().double().sum().item()}".encode())
    return digest.hexdigest()


def _load(config: TrainConfig, kind: type[Any], options: dict[str, Any]) -> Any:
    name = config.base_model_name
    hub = {"local_files_only": config.offline_mode, "cache_dir": config.huggingface_cache_dir or None}
    try:
        with mirrored(name) as opened:
            if Path(opened).is_file():
                with configs_within(Path(opened)) as own, published_configs(config.model_type) as published:
                    return kind.from_single_file(opened, config=own or published, **options, **hub)
            if not config.offline_mode and find_model(name, config.huggingface_cache_dir):
                with suppress(OSError, ValueError):  # a part is missing in the hub's cache, and is downloaded below
                    local = {**hub, "local_files_only": True}
                    return kind.from_pretrained(opened, use_safetensors=True, **options, **local)
            return kind.from_pretrained(opened, use_safetensors=True, **options, **hub)
    except (OSError, ValueError, KeyError, RuntimeError, SafetensorError) as error:
        reason = str(error).strip().splitlines()[0][:300] if str(error).strip() else type(error).__name__
        raise MissingModel(
            f"The base model {name} cannot be loaded as Stable Diffusion ({reason}): choose a diffusers folder, "
            f"a safetensors file, or a model of the hub."
        ) from error
