"""The settings nested in a training config: one part of a model, quantization, an embedding, a sample."""

from __future__ import annotations

from dataclasses import dataclass

from engine.builtin.config.enums import DataType, NoiseScheduler, TimeUnit
from engine.builtin.config.settings import LARGEST_SEED, Settings, setting


@dataclass(kw_only=True)
class TrainModelPartConfig(Settings):
    """One part of the model: its weights, and whether and how it is trained."""

    model_name: str = setting("")
    include: bool = setting(True)
    train: bool = setting(True)
    stop_training_after: int | None = setting(None, minimum=0)
    stop_training_after_unit: TimeUnit = setting(TimeUnit.NEVER)
    learning_rate: float | None = setting(None, minimum=0, maximum=1000)
    weight_dtype: DataType = setting(DataType.FLOAT_32)
    dropout_probability: float = setting(0.0, minimum=0, maximum=1)
    train_embedding: bool = setting(True)
    attention_mask: bool = setting(False)
    guidance_scale: float = setting(1.0)
    gradient_checkpointing: bool = setting(True)
    offload_fraction: float = setting(0.0, minimum=0, maximum=1)
    activation_offloading: bool = setting(False)


@dataclass(kw_only=True)
class QuantizationConfig(Settings):
    """The quantized layers, and the correction of the error."""

    layer_filter: str = setting("")
    layer_filter_preset: str = setting("full")
    layer_filter_regex: bool = setting(False)
    svd_dtype: DataType = setting(DataType.NONE)
    svd_rank: int = setting(16, minimum=1)
    cache_dir: str | None = setting(None)


@dataclass(kw_only=True)
class TrainEmbeddingConfig(Settings):
    """A word whose embedding is trained."""

    uuid: str = setting("")
    model_name: str = setting("")
    placeholder: str = setting("<embedding>")
    train: bool = setting(True)
    stop_training_after: int | None = setting(None, minimum=0)
    stop_training_after_unit: TimeUnit = setting(TimeUnit.NEVER)
    token_count: int | None = setting(1, minimum=1)
    initial_embedding_text: str = setting("*")
    is_output_embedding: bool = setting(False)


@dataclass(kw_only=True)
class SampleConfig(Settings):
    """A sample picture to generate during training."""

    enabled: bool = setting(True)
    prompt: str = setting("")
    negative_prompt: str = setting("")
    height: int = setting(512, minimum=8, maximum=4096)
    width: int = setting(512, minimum=8, maximum=4096)
    frames: int = setting(1, minimum=1)
    length: float = setting(10.0, minimum=0)
    seed: int = setting(42, minimum=0, maximum=LARGEST_SEED)
    random_seed: bool = setting(False)
    diffusion_steps: int = setting(30, minimum=1, maximum=1000)
    cfg_scale: float = setting(7.5, minimum=0, maximum=1000)
    noise_scheduler: NoiseScheduler = setting(NoiseScheduler.EULER_A)
    text_encoder_1_layer_skip: int = setting(0, minimum=0)
    text_encoder_1_sequence_length: int | None = setting(None, minimum=1)
    text_encoder_2_layer_skip: int = setting(0, minimum=0)
    text_encoder_2_sequence_length: int | None = setting(None, minimum=1)
    text_encoder_3_layer_skip: int = setting(0, minimum=0)
    text_encoder_4_layer_skip: int = setting(0, minimum=0)
    transformer_attention_mask: bool = setting(False)
    force_last_timestep: bool = setting(False)
    sample_inpainting: bool = setting(False)
    base_image_path: str = setting("")
    mask_image_path: str = setting("")
