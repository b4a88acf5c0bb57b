"""A training config: every setting that OneTrainer has, with its names, defaults and nesting.

Its JSON files load as they are. Which values the built-in trainer acts on is in `support`.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Self

from engine.builtin.config_concept import ConceptConfig, ConceptImageConfig, ConceptTextConfig
from engine.builtin.config_optimizer import TrainOptimizerConfig
from engine.builtin.config_parts import QuantizationConfig, SampleConfig, TrainEmbeddingConfig, TrainModelPartConfig
from engine.builtin.enums import (
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
from engine.builtin.settings import Settings, setting
from engine.interface.errors import Problem

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

    training_method: TrainingMethod = setting(TrainingMethod.FINE_TUNE, "Train the whole model or an add-on.")
    model_type: ModelType = setting(ModelType.STABLE_DIFFUSION_15, "The architecture of the base model.")
    workspace_dir: str = setting("workspace/run", "The folder for samples, backups and saves.")
    cache_dir: str = setting("workspace-cache/run", "The folder for encoded pictures and captions.")
    continue_last_backup: bool = setting(False, "Continue from the newest backup in the workspace.")
    only_cache: bool = setting(False, "Fill the cache, then end.")
    prevent_overwrites: bool = setting(False, "Refuse a destination that is already there.")
    include_train_config: ConfigPart = setting(ConfigPart.NONE, "How much of this config goes into the saved model.")
    seed: int = setting(0, "Where all chance decisions of a run begin; OneTrainer has no such setting.", minimum=0)
    debug_mode: bool = setting(False, "Write pictures of what goes in and out of the model.")
    debug_dir: str = setting("debug", "Where those go.")
    tensorboard: bool = setting(True, "Serve TensorBoard while training.")
    tensorboard_expose: bool = setting(False, "Let other machines see it.")
    tensorboard_always_on: bool = setting(False, "Serve it between runs too.")
    tensorboard_port: int = setting(6006, "Its port.", minimum=1, maximum=65535)
    validation: bool = setting(False, "Measure the loss on pictures that are not trained on.")
    validate_after: int = setting(1, "How often to measure it.", minimum=0)
    validate_after_unit: TimeUnit = setting(TimeUnit.EPOCH, "In what that is counted.")


@dataclass(kw_only=True)
class DeviceSettings(Settings):
    """Devices"""

    train_device: str = setting("cuda", "The device that trains: cuda, cuda:1, cpu.")
    temp_device: str = setting("cpu", "Where parts wait that are not needed just now.")
    multi_gpu: bool = setting(False, "Train on several GPUs.")
    device_indexes: str = setting("", "Which GPUs, separated by commas; empty takes all.")
    gradient_reduce_precision: GradientReducePrecision = setting(
        GradientReducePrecision.FLOAT_32_STOCHASTIC, "The number format in which GPUs add up gradients."
    )
    fused_gradient_reduce: bool = setting(True, "Add up gradients within the backward pass.")
    async_gradient_reduce: bool = setting(True, "Add up gradients while computing goes on.")
    async_gradient_reduce_buffer: int = setting(100, "Megabytes that wait for that.", minimum=0)
    async_offloading: bool = setting(True, "Move weights while computing goes on.")
    dataloader_threads: int = setting(2, "Threads that prepare pictures.", minimum=1)
    compile: bool = setting(False, "Compile the model, which is slow to start and faster after.")
    attention_mechanism: AttentionMechanism = setting(AttentionMechanism.SDP, "Which implementation of attention.")
    cloud: dict[str, Any] = setting(dict, "Train on a rented machine.")
    secrets: dict[str, Any] = setting(dict, "Tokens for model hubs and clouds.")


@dataclass(kw_only=True)
class ModelSettings(Settings):
    """Model"""

    base_model_name: str = setting(
        "stable-diffusion-v1-5/stable-diffusion-v1-5", "A diffusers folder, a safetensors file, or a hub name."
    )
    huggingface_cache_dir: str = setting("", "Where models from the hub are kept; empty takes its own place.")
    offline_mode: bool = setting(False, "Never ask the hub.")
    output_dtype: DataType = setting(DataType.FLOAT_32, "The number format of the saved model.")
    output_model_format: ModelFormat = setting(ModelFormat.SAFETENSORS, "The layout of the saved model.")
    output_model_destination: str = setting("models/model.safetensors", "Where the trained model goes.")
    unet: TrainModelPartConfig = setting(TrainModelPartConfig, "The UNet.")
    prior: TrainModelPartConfig = setting(TrainModelPartConfig, "The prior.")
    transformer: TrainModelPartConfig = setting(TrainModelPartConfig, "The transformer.")
    unconditional_transformer: TrainModelPartConfig = setting(TrainModelPartConfig, "The transformer without a prompt.")
    text_encoder: TrainModelPartConfig = setting(TrainModelPartConfig, "The text encoder.")
    text_encoder_layer_skip: int = setting(0, "Last layers of the text encoder to leave out.", minimum=0)
    text_encoder_sequence_length: int | None = setting(512, "The longest caption in tokens, where the model allows.")
    text_encoder_2: TrainModelPartConfig = setting(TrainModelPartConfig, "The second text encoder.")
    text_encoder_2_layer_skip: int = setting(0, "Last layers of the second text encoder to leave out.", minimum=0)
    text_encoder_2_sequence_length: int | None = setting(77, "The longest caption for it in tokens.")
    text_encoder_3: TrainModelPartConfig = setting(TrainModelPartConfig, "The third text encoder.")
    text_encoder_3_layer_skip: int = setting(0, "Last layers of the third text encoder to leave out.", minimum=0)
    text_encoder_4: TrainModelPartConfig = setting(TrainModelPartConfig, "The fourth text encoder.")
    text_encoder_4_layer_skip: int = setting(0, "Last layers of the fourth text encoder to leave out.", minimum=0)
    vae: TrainModelPartConfig = setting(TrainModelPartConfig, "The image codec.")
    effnet_encoder: TrainModelPartConfig = setting(TrainModelPartConfig, "The Effnet encoder.")
    decoder: TrainModelPartConfig = setting(TrainModelPartConfig, "The decoder.")
    decoder_text_encoder: TrainModelPartConfig = setting(TrainModelPartConfig, "The decoder's text encoder.")
    decoder_vqgan: TrainModelPartConfig = setting(TrainModelPartConfig, "The decoder's image codec.")
    quantization: QuantizationConfig = setting(QuantizationConfig, "Which layers are quantized.")
    force_circular_padding: bool = setting(False, "Let pictures wrap around at their edges.")


@dataclass(kw_only=True)
class DataSettings(Settings):
    """Data"""

    concept_file_name: str = setting("training_concepts/concepts.json", "A file with the list of concepts.")
    concepts: list[ConceptConfig] | None = setting(None, "The concepts themselves, in place of that file.")
    resolution: str = setting("512", "Training size in pixels: 512, or 512,768 for both, or 1024x768.")
    aspect_ratio_bucketing: bool = setting(True, "Keep wide pictures wide and tall ones tall.")
    latent_caching: bool = setting(True, "Encode each picture once and keep the result on disk.")
    clear_cache_before_training: bool = setting(True, "Begin with an empty cache.")
    frames: str = setting("25", "Frames of training videos.")
    masked_training: bool = setting(False, "Train only where a picture's mask is white.")
    unmasked_probability: float = setting(0.1, "How often the mask is left out.", minimum=0, maximum=1)
    unmasked_weight: float = setting(0.1, "How much the rest of the picture counts.", minimum=0, maximum=1)
    normalize_masked_area_loss: bool = setting(False, "Divide the loss by the size of the mask.")
    masked_prior_preservation_weight: float = setting(0.0, "How much the rest should stay as it was.", minimum=0)
    custom_conditioning_image: bool = setting(False, "Use the conditioning pictures beside the training pictures.")


@dataclass(kw_only=True)
class TrainingSettings(Settings):
    """Training"""

    epochs: int = setting(100, "How often to go through the pictures.", minimum=1)
    batch_size: int = setting(1, "Pictures in one step.", minimum=1)
    gradient_accumulation_steps: int = setting(1, "Steps that are added up before the weights change.", minimum=1)
    learning_rate: float = setting(3e-6, "How far one step moves the weights.", minimum=0)
    learning_rate_scheduler: LearningRateScheduler = setting(LearningRateScheduler.CONSTANT, "How that changes.")
    learning_rate_warmup_steps: float = setting(
        200.0, "Steps over which it rises from zero; below 1, that part of the run.", minimum=0
    )
    learning_rate_cycles: float = setting(1.0, "How often the cosine goes around.", minimum=0)
    learning_rate_min_factor: float = setting(0.0, "The part of it that is left at the end.", minimum=0, maximum=1)
    learning_rate_scaler: LearningRateScaler = setting(LearningRateScaler.NONE, "By what it is multiplied.")
    custom_learning_rate_scheduler: str | None = setting(None, "A scheduler of your own: module.Class.")
    scheduler_params: list[dict[str, str]] | None = setting(list, "Its arguments.")
    optimizer: TrainOptimizerConfig = setting(TrainOptimizerConfig, "The optimizer.")
    optimizer_defaults: dict[str, TrainOptimizerConfig] = setting(dict, "Your own defaults by optimizer.")
    clip_grad_norm: float | None = setting(1.0, "Shorten gradients that are longer than this.", minimum=0)
    train_dtype: DataType = setting(DataType.FLOAT_16, "The number format of the computation.")
    fallback_train_dtype: DataType = setting(DataType.BFLOAT_16, "That of parts that cannot compute in it.")
    enable_autocast_cache: bool = setting(True, "Keep converted weights between uses.")
    ema: EMAMode = setting(EMAMode.OFF, "Keep an average of the weights, and save that.")
    ema_decay: float = setting(0.999, "How slowly that average moves.", minimum=0, maximum=1)
    ema_update_step_interval: int = setting(5, "Steps between its updates.", minimum=1)
    dropout_probability: float = setting(0.0, "How often LoRA's values are left out.", minimum=0, maximum=1)
    layer_filter: str = setting("", "Names of the layers to train, separated by commas; empty trains all.")
    layer_filter_preset: str = setting("full", "The name of a known choice of layers.")
    layer_filter_regex: bool = setting(False, "The names are regular expressions.")


@dataclass(kw_only=True)
class LossSettings(Settings):
    """Loss and noise"""

    mse_strength: float = setting(1.0, "How much the squared error counts.", minimum=0)
    mae_strength: float = setting(0.0, "How much the absolute error counts.", minimum=0)
    log_cosh_strength: float = setting(0.0, "How much the log-cosh error counts.", minimum=0)
    huber_strength: float = setting(0.0, "How much the Huber error counts.", minimum=0)
    huber_delta: float = setting(1.0, "Where the Huber error turns from squared to absolute.", minimum=0)
    vb_loss_strength: float = setting(1.0, "How much the variational bound counts (PixArt).", minimum=0)
    loss_weight_fn: LossWeight = setting(LossWeight.CONSTANT, "How the loss is weighted by timestep.")
    loss_weight_strength: float = setting(5.0, "Min-SNR's gamma, or the strength of the others.", minimum=0)
    loss_scaler: LossScaler = setting(LossScaler.NONE, "By what the loss is multiplied.")
    offset_noise_weight: float = setting(0.0, "How much each channel's noise is shifted.", minimum=0)
    generalized_offset_noise: bool = setting(False, "Shift it more at noisier timesteps.")
    perturbation_noise_weight: float = setting(0.0, "How much more noise the input gets.", minimum=0)
    rescale_noise_scheduler_to_zero_terminal_snr: bool = setting(False, "Let the last timestep be pure noise.")
    force_v_prediction: bool = setting(False, "Predict the velocity, whatever the base model says.")
    force_epsilon_prediction: bool = setting(False, "Predict the noise, whatever the base model says.")
    min_noising_strength: float = setting(0.0, "The least noise, as a part of the timesteps.", minimum=0, maximum=1)
    max_noising_strength: float = setting(1.0, "The most noise, as a part of the timesteps.", minimum=0, maximum=1)
    timestep_distribution: TimestepDistribution = setting(TimestepDistribution.UNIFORM, "How often timesteps come.")
    noising_weight: float = setting(0.0, "How uneven that is.")
    noising_bias: float = setting(0.0, "Where it leans to.")
    timestep_shift: float = setting(1.0, "How far timesteps are shifted to noise.", minimum=0)
    dynamic_timestep_shifting: bool = setting(False, "Shift them by the picture's size.")


@dataclass(kw_only=True)
class PeftSettings(Settings):
    """LoRA"""

    peft_type: PeftType = setting(PeftType.LORA, "Which kind of add-on.")
    lora_model_name: str = setting("", "Start from this LoRA.")
    lora_rank: int = setting(16, "How much it can hold.", minimum=1)
    lora_alpha: float = setting(1.0, "Its strength, divided by the rank.", minimum=0)
    lora_decompose: bool = setting(False, "Train length and direction apart (DoRA).")
    lora_decompose_norm_epsilon: bool = setting(True, "Keep that division finite.")
    lora_decompose_output_axis: bool = setting(False, "Take the length over the other axis.")
    lora_weight_dtype: DataType = setting(DataType.FLOAT_32, "The number format of the LoRA's weights.")
    bundle_additional_embeddings: bool = setting(True, "Save embeddings within the LoRA.")
    oft_block_size: int = setting(32, "OFT's block size.", minimum=1)
    oft_block_share: bool = setting(False, "Let OFT's blocks share weights.")
    oft_scaled: bool = setting(False, "Let OFT scale too.")
    lokr_dim: int = setting(16, "LoKr's rank.", minimum=1)
    lokr_decompose_both: bool = setting(False, "Let LoKr decompose both factors.")
    lokr_decompose_factor: int = setting(-1, "How LoKr splits a layer; -1 chooses.")
    lokr_use_tucker: bool = setting(False, "Let LoKr decompose convolutions.")
    lokr_weight_decompose: bool = setting(False, "Train LoKr's length and direction apart.")
    lokr_dora_on_output: bool = setting(True, "Take that length over the output.")
    lokr_full_matrix: bool = setting(False, "Let LoKr train full matrices.")
    lokr_vec_trick: bool = setting(True, "Let LoKr multiply without building the matrix.")


@dataclass(kw_only=True)
class EmbeddingSettings(Settings):
    """Embeddings"""

    embedding: TrainEmbeddingConfig = setting(TrainEmbeddingConfig, "The embedding that is trained.")
    additional_embeddings: list[TrainEmbeddingConfig] = setting(list, "Further embeddings.")
    embedding_learning_rate: float | None = setting(None, "Their learning rate; empty takes the run's.", minimum=0)
    embedding_weight_dtype: DataType = setting(DataType.FLOAT_32, "Their number format.")
    preserve_embedding_norm: bool = setting(False, "Keep their length.")


@dataclass(kw_only=True)
class SampleSettings(Settings):
    """Samples"""

    samples: list[SampleConfig] | None = setting(None, "The pictures to draw, in place of the file below.")
    sample_definition_file_name: str = setting("training_samples/samples.json", "A file with the pictures to draw.")
    sample_after: int = setting(10, "How often to draw them.", minimum=0)
    sample_after_unit: TimeUnit = setting(TimeUnit.MINUTE, "In what that is counted.")
    sample_skip_first: int = setting(0, "Do not draw before so many.", minimum=0)
    sample_image_format: ImageFormat = setting(ImageFormat.JPG, "The file type of pictures.")
    sample_video_format: VideoFormat = setting(VideoFormat.MP4, "The file type of videos.")
    sample_audio_format: AudioFormat = setting(AudioFormat.MP3, "The file type of sounds.")
    samples_to_tensorboard: bool = setting(True, "Show them in TensorBoard too.")
    non_ema_sampling: bool = setting(True, "Where weights are averaged, draw with the plain weights too.")


@dataclass(kw_only=True)
class BackupSettings(Settings):
    """Backups and saves"""

    backup_after: int = setting(30, "How often to make a backup.", minimum=0)
    backup_after_unit: TimeUnit = setting(TimeUnit.MINUTE, "In what that is counted.")
    rolling_backup: bool = setting(False, "Keep only the newest backups.")
    rolling_backup_count: int = setting(3, "How many.", minimum=1)
    backup_before_save: bool = setting(True, "Make a backup before the final model is saved.")
    save_every: int = setting(0, "How often to save the model.", minimum=0)
    save_every_unit: TimeUnit = setting(TimeUnit.NEVER, "In what that is counted.")
    save_skip_first: int = setting(0, "Do not save before so many.", minimum=0)
    save_filename_prefix: str = setting("", "What the names of saved models begin with.")


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
        """Complete the optimizer's settings from the user's own defaults first, then from the optimizer's."""
        if isinstance(values, dict):
            values = {**values, "optimizer": _with_own_defaults(values)}
        return super()._read(values, path, problems)

    def to_dict(self, *, secrets: bool = False) -> dict[str, Any]:
        """Every setting as JSON values; the tokens are left out unless asked for, as this goes into files."""
        return {**super().to_dict(), "secrets": dict(self.secrets) if secrets else {}}


def _with_own_defaults(values: dict[str, Any]) -> Any:
    """The optimizer's settings with `optimizer_defaults` for what is empty or left out."""
    chosen, own = values.get("optimizer", {}), values.get("optimizer_defaults")
    if not isinstance(chosen, dict) or not isinstance(own, dict):
        return chosen
    defaults = own.get(chosen.get("optimizer", Optimizer.ADAMW))
    if not isinstance(defaults, dict):
        return chosen
    return {**chosen, **{key: value for key, value in defaults.items() if chosen.get(key) is None}}
