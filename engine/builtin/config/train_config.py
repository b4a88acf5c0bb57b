"""A training config: every setting that OneTrainer has, with its names, defaults and nesting.

Its JSON files load as they are. `support` lists the values that the built-in trainer supports.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Self

from engine.builtin.config.concept import ConceptConfig, ConceptImageConfig, ConceptTextConfig
from engine.builtin.config.enums import (
    AttentionMechanism,
    AudioFormat,
    ConfigPart,
    DataType,
    EMAMode,
    GradientReducePrecision,
    ImageFormat,
    LearningRateScaler,
    LearningRateScheduler,
    LossScaler,
    LossWeight,
    ModelFormat,
    ModelType,
    Optimizer,
    PeftType,
    TimestepDistribution,
    TimeUnit,
    TrainingMethod,
    VideoFormat,
)
from engine.builtin.config.model_types import text_encoders, trainable_parts
from engine.builtin.config.optimizer import TrainOptimizerConfig
from engine.builtin.config.parts import QuantizationConfig, SampleConfig, TrainEmbeddingConfig, TrainModelPartConfig
from engine.builtin.config.settings import LARGEST_SEED, Settings, setting
from engine.interface.errors import Problem
from engine.interface.json_types import JsonObject

__all__ = [
    "ConceptConfig",
    "ConceptImageConfig",
    "ConceptTextConfig",
    "QuantizationConfig",
    "SampleConfig",
    "TrainConfig",
    "TrainEmbeddingConfig",
    "TrainModelPartConfig",
    "TrainOptimizerConfig",
]


@dataclass(kw_only=True)
class GeneralSettings(Settings):
    """General"""

    training_method: TrainingMethod = setting(TrainingMethod.FINE_TUNE)
    model_type: ModelType = setting(ModelType.STABLE_DIFFUSION_15)
    workspace_dir: str = setting("workspace/run")
    cache_dir: str = setting("workspace-cache/run")
    continue_last_backup: bool = setting(False)
    only_cache: bool = setting(False)
    prevent_overwrites: bool = setting(False)
    include_train_config: ConfigPart = setting(ConfigPart.NONE)
    seed: int = setting(0, minimum=0, maximum=LARGEST_SEED)
    debug_mode: bool = setting(False)
    debug_dir: str = setting("debug")
    tensorboard: bool = setting(True)
    tensorboard_expose: bool = setting(False)
    tensorboard_always_on: bool = setting(False)
    tensorboard_port: int = setting(6006, minimum=1, maximum=65535)
    validation: bool = setting(False)
    validate_after: int = setting(1, minimum=0)
    validate_after_unit: TimeUnit = setting(TimeUnit.EPOCH)


@dataclass(kw_only=True)
class DeviceSettings(Settings):
    """Devices"""

    train_device: str = setting("cuda")
    temp_device: str = setting("cpu")
    multi_gpu: bool = setting(False)
    device_indexes: str = setting("")
    gradient_reduce_precision: GradientReducePrecision = setting(GradientReducePrecision.FLOAT_32_STOCHASTIC)
    fused_gradient_reduce: bool = setting(True)
    async_gradient_reduce: bool = setting(True)
    async_gradient_reduce_buffer: int = setting(100, minimum=0)
    async_offloading: bool = setting(True)
    dataloader_threads: int = setting(2, minimum=1, maximum=256)
    compile: bool = setting(False)
    attention_mechanism: AttentionMechanism = setting(AttentionMechanism.SDP)
    cloud: JsonObject = setting(dict)
    secrets: JsonObject = setting(dict)


@dataclass(kw_only=True)
class ModelSettings(Settings):
    """Model"""

    base_model_name: str = setting("stable-diffusion-v1-5/stable-diffusion-v1-5")
    huggingface_cache_dir: str = setting("")
    offline_mode: bool = setting(False)
    output_dtype: DataType = setting(DataType.FLOAT_32)
    output_model_format: ModelFormat = setting(ModelFormat.SAFETENSORS)
    output_model_destination: str = setting("models/model.safetensors")
    unet: TrainModelPartConfig = setting(TrainModelPartConfig)
    prior: TrainModelPartConfig = setting(TrainModelPartConfig)
    transformer: TrainModelPartConfig = setting(TrainModelPartConfig)
    unconditional_transformer: TrainModelPartConfig = setting(TrainModelPartConfig)
    text_encoder: TrainModelPartConfig = setting(TrainModelPartConfig)
    text_encoder_layer_skip: int = setting(0, minimum=0)
    text_encoder_sequence_length: int | None = setting(512)
    text_encoder_2: TrainModelPartConfig = setting(TrainModelPartConfig)
    text_encoder_2_layer_skip: int = setting(0, minimum=0)
    text_encoder_2_sequence_length: int | None = setting(77)
    text_encoder_3: TrainModelPartConfig = setting(TrainModelPartConfig)
    text_encoder_3_layer_skip: int = setting(0, minimum=0)
    text_encoder_4: TrainModelPartConfig = setting(TrainModelPartConfig)
    text_encoder_4_layer_skip: int = setting(0, minimum=0)
    vae: TrainModelPartConfig = setting(TrainModelPartConfig)
    effnet_encoder: TrainModelPartConfig = setting(TrainModelPartConfig)
    decoder: TrainModelPartConfig = setting(TrainModelPartConfig)
    decoder_text_encoder: TrainModelPartConfig = setting(TrainModelPartConfig)
    decoder_vqgan: TrainModelPartConfig = setting(TrainModelPartConfig)
    quantization: QuantizationConfig = setting(QuantizationConfig)
    force_circular_padding: bool = setting(False)


@dataclass(kw_only=True)
class DataSettings(Settings):
    """Data"""

    concept_file_name: str = setting("training_concepts/concepts.json")
    concepts: list[ConceptConfig] | None = setting(None)
    resolution: str = setting("512")
    aspect_ratio_bucketing: bool = setting(True)
    latent_caching: bool = setting(True)
    clear_cache_before_training: bool = setting(True)
    frames: str = setting("25")
    masked_training: bool = setting(False)
    unmasked_probability: float = setting(0.1, minimum=0, maximum=1)
    unmasked_weight: float = setting(0.1, minimum=0, maximum=1)
    normalize_masked_area_loss: bool = setting(False)
    masked_prior_preservation_weight: float = setting(0.0, minimum=0, maximum=1e6)
    custom_conditioning_image: bool = setting(False)


@dataclass(kw_only=True)
class TrainingSettings(Settings):
    """Training"""

    epochs: int = setting(100, minimum=1, maximum=1_000_000)
    batch_size: int = setting(1, minimum=1)
    gradient_accumulation_steps: int = setting(1, minimum=1)
    learning_rate: float = setting(3e-6, minimum=0, maximum=1000)
    learning_rate_scheduler: LearningRateScheduler = setting(LearningRateScheduler.CONSTANT)
    learning_rate_warmup_steps: float = setting(200.0, minimum=0, maximum=1e6)
    learning_rate_cycles: float = setting(1.0, minimum=0, maximum=1e6)
    learning_rate_min_factor: float = setting(0.0, minimum=0, maximum=1)
    learning_rate_scaler: LearningRateScaler = setting(LearningRateScaler.NONE)
    custom_learning_rate_scheduler: str | None = setting(None)
    scheduler_params: list[dict[str, str]] | None = setting(list)
    optimizer: TrainOptimizerConfig = setting(TrainOptimizerConfig)
    optimizer_defaults: dict[str, TrainOptimizerConfig] = setting(dict)
    clip_grad_norm: float | None = setting(1.0, minimum=0)
    train_dtype: DataType = setting(DataType.FLOAT_16)
    fallback_train_dtype: DataType = setting(DataType.BFLOAT_16)
    enable_autocast_cache: bool = setting(True)
    ema: EMAMode = setting(EMAMode.OFF)
    ema_decay: float = setting(0.999, minimum=0, maximum=1)
    ema_update_step_interval: int = setting(5, minimum=1)
    dropout_probability: float = setting(0.0, minimum=0, maximum=1)
    layer_filter: str = setting("")
    layer_filter_preset: str = setting("full")
    layer_filter_regex: bool = setting(False)


@dataclass(kw_only=True)
class LossSettings(Settings):
    """Loss and noise"""

    mse_strength: float = setting(1.0, minimum=0, maximum=1e6)
    mae_strength: float = setting(0.0, minimum=0, maximum=1e6)
    log_cosh_strength: float = setting(0.0, minimum=0, maximum=1e6)
    huber_strength: float = setting(0.0, minimum=0, maximum=1e6)
    huber_delta: float = setting(1.0, minimum=0, maximum=1e6)
    vb_loss_strength: float = setting(1.0, minimum=0, maximum=1e6)
    loss_weight_fn: LossWeight = setting(LossWeight.CONSTANT)
    loss_weight_strength: float = setting(5.0, minimum=0, maximum=1e6)
    loss_scaler: LossScaler = setting(LossScaler.NONE)
    offset_noise_weight: float = setting(0.0, minimum=0, maximum=1e6)
    generalized_offset_noise: bool = setting(False)
    perturbation_noise_weight: float = setting(0.0, minimum=0, maximum=1e6)
    rescale_noise_scheduler_to_zero_terminal_snr: bool = setting(False)
    force_v_prediction: bool = setting(False)
    force_epsilon_prediction: bool = setting(False)
    min_noising_strength: float = setting(0.0, minimum=0, maximum=1)
    max_noising_strength: float = setting(1.0, minimum=0, maximum=1)
    timestep_distribution: TimestepDistribution = setting(TimestepDistribution.UNIFORM)
    noising_weight: float = setting(0.0, minimum=-1000, maximum=1000)
    noising_bias: float = setting(0.0, minimum=-1000, maximum=1000)
    timestep_shift: float = setting(1.0, minimum=0.001, maximum=1000)
    dynamic_timestep_shifting: bool = setting(False)


@dataclass(kw_only=True)
class PeftSettings(Settings):
    """LoRA"""

    peft_type: PeftType = setting(PeftType.LORA)
    lora_model_name: str = setting("")
    lora_rank: int = setting(16, minimum=1, maximum=16384)
    lora_alpha: float = setting(1.0, minimum=0, maximum=1e6)
    lora_decompose: bool = setting(False)
    lora_decompose_norm_epsilon: bool = setting(True)
    lora_decompose_output_axis: bool = setting(False)
    lora_weight_dtype: DataType = setting(DataType.FLOAT_32)
    bundle_additional_embeddings: bool = setting(True)
    oft_block_size: int = setting(32, minimum=1)
    oft_block_share: bool = setting(False)
    oft_scaled: bool = setting(False)
    lokr_dim: int = setting(16, minimum=1)
    lokr_decompose_both: bool = setting(False)
    lokr_decompose_factor: int = setting(-1)
    lokr_use_tucker: bool = setting(False)
    lokr_weight_decompose: bool = setting(False)
    lokr_dora_on_output: bool = setting(True)
    lokr_full_matrix: bool = setting(False)
    lokr_vec_trick: bool = setting(True)


@dataclass(kw_only=True)
class EmbeddingSettings(Settings):
    """Embeddings"""

    embedding: TrainEmbeddingConfig = setting(TrainEmbeddingConfig)
    additional_embeddings: list[TrainEmbeddingConfig] = setting(list)
    embedding_learning_rate: float | None = setting(None, minimum=0, maximum=1000)
    embedding_weight_dtype: DataType = setting(DataType.FLOAT_32)
    preserve_embedding_norm: bool = setting(False)


@dataclass(kw_only=True)
class SampleSettings(Settings):
    """Samples"""

    samples: list[SampleConfig] | None = setting(None)
    sample_definition_file_name: str = setting("training_samples/samples.json")
    sample_after: int = setting(10, minimum=0)
    sample_after_unit: TimeUnit = setting(TimeUnit.MINUTE)
    sample_skip_first: int = setting(0, minimum=0)
    sample_image_format: ImageFormat = setting(ImageFormat.JPG)
    sample_video_format: VideoFormat = setting(VideoFormat.MP4)
    sample_audio_format: AudioFormat = setting(AudioFormat.MP3)
    samples_to_tensorboard: bool = setting(True)
    non_ema_sampling: bool = setting(True)


@dataclass(kw_only=True)
class BackupSettings(Settings):
    """Backups and saves"""

    backup_after: int = setting(30, minimum=0)
    backup_after_unit: TimeUnit = setting(TimeUnit.MINUTE)
    rolling_backup: bool = setting(False)
    rolling_backup_count: int = setting(3, minimum=1)
    backup_before_save: bool = setting(True)
    save_every: int = setting(0, minimum=0)
    save_every_unit: TimeUnit = setting(TimeUnit.NEVER)
    save_skip_first: int = setting(0, minimum=0)
    save_filename_prefix: str = setting("")


SECTIONS: tuple[type[Settings], ...] = (
    GeneralSettings,
    ModelSettings,
    DataSettings,
    TrainingSettings,
    LossSettings,
    PeftSettings,
    EmbeddingSettings,
    SampleSettings,
    BackupSettings,
    DeviceSettings,
)


@dataclass(kw_only=True)
class TrainConfig(
    DeviceSettings,
    BackupSettings,
    SampleSettings,
    EmbeddingSettings,
    PeftSettings,
    LossSettings,
    TrainingSettings,
    DataSettings,
    ModelSettings,
    GeneralSettings,
):
    """All settings of a run. Dataclasses take their fields from the last base first, hence the order."""

    json_version = 11

    @classmethod
    def default_values(cls) -> Self:
        """OneTrainer's defaults, with the optimizer's own filled in."""
        return cls.from_dict({})

    @classmethod
    def _read(cls, values: Any, path: str, problems: list[Problem]) -> Self | None:
        """Fill in the optimizer's settings from the user's own defaults first, then from the optimizer's."""
        if isinstance(values, dict):
            values = {**values, "optimizer": _with_own_defaults(values)}
        return super()._read(values, path, problems)

    def to_dict(self, *, secrets: bool = False) -> JsonObject:
        """Every setting as JSON values; tokens are left out by default, because the result goes into files."""
        return {**super().to_dict(), "secrets": dict(self.secrets) if secrets else {}}


def whole_parts(config: TrainConfig) -> list[str]:
    """The parts of the model whose own weights are trained, not a LoRA's."""
    if config.training_method is TrainingMethod.FINE_TUNE_VAE:
        return ["vae"]
    if config.training_method is not TrainingMethod.FINE_TUNE:
        return []
    return trained_parts(config)


def trained_parts(config: TrainConfig) -> list[str]:
    """The parts that a LoRA or a fine-tune trains."""
    return [name for name in trainable_parts(config.model_type) if getattr(config, name).train]


def trains_text(config: TrainConfig) -> bool:
    """True if a text encoder is trained, so that captions must be encoded anew at each step."""
    return any(getattr(config, name).train for name in text_encoders(config.model_type))


def _with_own_defaults(values: JsonObject) -> Any:
    """The optimizer's settings, with `optimizer_defaults` in place of empty or missing values."""
    chosen, own = values.get("optimizer", {}), values.get("optimizer_defaults")
    if not isinstance(chosen, dict) or not isinstance(own, dict):
        return chosen
    name = chosen.get("optimizer", Optimizer.ADAMW)
    defaults = own.get(name) if isinstance(name, str) else None
    if not isinstance(defaults, dict):
        return chosen
    return {**chosen, **{key: value for key, value in defaults.items() if chosen.get(key) is None}}
