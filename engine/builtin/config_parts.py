"""The settings nested in a training config: one part of a model, quantization, an embedding, a sample."""

from __future__ import annotations

from dataclasses import dataclass

from engine.builtin.enums import DataType, NoiseScheduler, TimeUnit
from engine.builtin.settings import Settings, setting


@dataclass(kw_only=True)
class TrainModelPartConfig(Settings):
    """One part of the model: its weights, and whether and how it is trained."""

    model_name: str = setting("", "Take this part from here instead of from the base model.")
    include: bool = setting(True, "Load this part.")
    train: bool = setting(True, "Train this part.")
    stop_training_after: int | None = setting(None, "Stop training this part after so much.", minimum=0)
    stop_training_after_unit: TimeUnit = setting(TimeUnit.NEVER, "In what that is counted.")
    learning_rate: float | None = setting(None, "This part's learning rate; empty takes the run's.", minimum=0)
    weight_dtype: DataType = setting(DataType.FLOAT_32, "The number format of the weights that are not trained.")
    dropout_probability: float = setting(0.0, "How often the caption is left out.", minimum=0, maximum=1)
    train_embedding: bool = setting(True, "Train the embeddings of this text encoder.")
    attention_mask: bool = setting(False, "Hide the padding of a caption from attention.")
    guidance_scale: float = setting(1.0, "The guidance that a distilled model is told.")
    gradient_checkpointing: bool = setting(True, "Compute activations again in the backward pass, which saves memory.")
    offload_fraction: float = setting(0.0, "How much of this part waits in main memory.", minimum=0, maximum=1)
    activation_offloading: bool = setting(False, "Keep activations in main memory.")


@dataclass(kw_only=True)
class QuantizationConfig(Settings):
    """Which layers are quantized, and how the error is mended."""

    layer_filter: str = setting("", "Names of the layers to quantize, separated by commas.")
    layer_filter_preset: str = setting("full", "The name of a known choice of layers.")
    layer_filter_regex: bool = setting(False, "The names are regular expressions.")
    svd_dtype: DataType = setting(DataType.NONE, "The number format of the low-rank correction.")
    svd_rank: int = setting(16, "The rank of that correction.", minimum=1)
    cache_dir: str | None = setting(None, "Where quantized weights are kept.")


@dataclass(kw_only=True)
class TrainEmbeddingConfig(Settings):
    """A word whose embedding is trained."""

    uuid: str = setting("", "What tells this embedding from the others.")
    model_name: str = setting("", "Start from this embedding.")
    placeholder: str = setting("<embedding>", "The word that stands for it in captions.")
    train: bool = setting(True, "Train it.")
    stop_training_after: int | None = setting(None, "Stop training it after so much.", minimum=0)
    stop_training_after_unit: TimeUnit = setting(TimeUnit.NEVER, "In what that is counted.")
    token_count: int | None = setting(1, "How many tokens it takes.", minimum=1)
    initial_embedding_text: str = setting("*", "Words that it starts as.")
    is_output_embedding: bool = setting(False, "Add it after the text encoder instead of before.")


@dataclass(kw_only=True)
class SampleConfig(Settings):
    """One picture to draw while training."""

    enabled: bool = setting(True, "Draw it.")
    prompt: str = setting("", "What to draw.")
    negative_prompt: str = setting("", "What to draw away from.")
    height: int = setting(512, "Height in pixels.", minimum=8)
    width: int = setting(512, "Width in pixels.", minimum=8)
    frames: int = setting(1, "Frames of a video; 1 is a picture.", minimum=1)
    length: float = setting(10.0, "Seconds of a sound.", minimum=0)
    seed: int = setting(42, "Where its noise begins.", minimum=0)
    random_seed: bool = setting(False, "Take another seed each time.")
    diffusion_steps: int = setting(30, "Steps from noise to picture.", minimum=1)
    cfg_scale: float = setting(7.5, "How strongly the prompt guides.", minimum=0)
    noise_scheduler: NoiseScheduler = setting(NoiseScheduler.EULER_A, "The sampler.")
    text_encoder_1_layer_skip: int = setting(0, "Last layers of the text encoder to leave out.", minimum=0)
    text_encoder_1_sequence_length: int | None = setting(None, "Tokens of the prompt.", minimum=1)
    text_encoder_2_layer_skip: int = setting(0, "Last layers of the second text encoder to leave out.", minimum=0)
    text_encoder_2_sequence_length: int | None = setting(None, "Tokens of the prompt for it.", minimum=1)
    text_encoder_3_layer_skip: int = setting(0, "Last layers of the third text encoder to leave out.", minimum=0)
    text_encoder_4_layer_skip: int = setting(0, "Last layers of the fourth text encoder to leave out.", minimum=0)
    transformer_attention_mask: bool = setting(False, "Hide the padding of the prompt from attention.")
    force_last_timestep: bool = setting(False, "Always begin at the noisiest timestep.")
    sample_inpainting: bool = setting(False, "Paint into a picture.")
    base_image_path: str = setting("", "That picture.")
    mask_image_path: str = setting("", "Where to paint in it.")
