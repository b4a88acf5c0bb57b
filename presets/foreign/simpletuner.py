"""SimpleTuner (bghira): its config.json, whose keys may begin with `--`, and the list of its data backends.

Keys: OPTIONS.md and documentation/DATALOADER.md of bghira/SimpleTuner, and its examples.
"""

from __future__ import annotations

from typing import Any

from engine.interface.json_types import JsonObject
from presets.foreign.tables import (
    PRECISIONS,
    NoCounterpart,
    Row,
    Translation,
    choice,
    in_steps,
    number,
    positive,
    text,
    translate,
    truth,
    whole,
)

TOOL = "SimpleTuner"
SIGNS = {"model_family", "data_backend_config", "base_model_precision", "lora_type", "validation_prompt"}
SIGNS_OF_BACKEND = {"instance_data_dir", "caption_strategy", "cache_dir_vae", "dataset_type", "instance_prompt"}
MODEL_TYPES = choice(
    """
    sd1x=STABLE_DIFFUSION_15 sd2x=STABLE_DIFFUSION_21 sdxl=STABLE_DIFFUSION_XL_10_BASE
    sd3=STABLE_DIFFUSION_35 flux=FLUX_DEV_1 flux2=FLUX_2 pixart_sigma=PIXART_SIGMA sana=SANA chroma=CHROMA_1
    qwen_image=QWEN z_image=Z_IMAGE zimage=Z_IMAGE hidream=HI_DREAM_FULL stable_cascade=STABLE_CASCADE_1
    anima=ANIMA ernie=ERNIE
"""
)
OPTIMIZERS = choice(
    """
    adamw_bf16=ADAMW optimi-adamw=ADAMW bnb-adamw=ADAMW bnb-adamw-paged=ADAMW bnb-adamw8bit=ADAMW_8BIT
    bnb-adamw8bit-paged=ADAMW_8BIT ao-adamw8bit=ADAMW_8BIT bnb-adam=ADAM bnb-adam8bit=ADAM_8BIT
    bnb-adagrad=ADAGRAD optimi-adam=ADAM bnb-adagrad8bit=ADAGRAD_8BIT bnb-lion=LION bnb-lion-paged=LION
    optimi-lion=LION bnb-lion8bit=LION_8BIT bnb-lion8bit-paged=LION_8BIT optimi-sgd=SGD prodigy=PRODIGY
    bnb-ademamix=AdEMAMix bnb-ademamix8bit=AdEMAMix_8BIT adamw_schedulefree=SCHEDULE_FREE_ADAMW
    adafactor=ADAFACTOR optimi-adan=DADAPT_ADAN
"""
)
SCHEDULERS = choice(
    """
    constant=CONSTANT constant_with_warmup=CONSTANT linear=LINEAR cosine=COSINE
    cosine_with_restarts=COSINE_WITH_HARD_RESTARTS
"""
)


def _edge(value: object) -> str:
    """The resolution as an edge in pixels; a small number is megapixels there."""
    size = number(value)
    if size < 64:
        raise NoCounterpart("it is an area in megapixels; set resolution to the edge of that square")
    return str(round(size))


def _size(value: object) -> int:
    return positive(str(value).partition("x")[0].partition(",")[0])


ROWS: tuple[Row, ...] = (
    ("model_family", "model_type", MODEL_TYPES),
    (
        "model_type",
        "training_method",
        choice(
            """
    lora=LORA full=FINE_TUNE
"""
        ),
    ),
    ("pretrained_model_name_or_path", "base_model_name", text),
    ("pretrained_vae_model_name_or_path", "vae.model_name", text),
    ("init_lora", "lora_model_name", text),
    ("lora_rank", "lora_rank", positive),
    ("lora_alpha", "lora_alpha", number),
    ("lora_dropout", "dropout_probability", number),
    ("learning_rate", "learning_rate", number),
    ("text_encoder_lr", "text_encoder.learning_rate", number),
    ("train_text_encoder", "text_encoder.train", truth),
    ("train_batch_size", "batch_size", positive),
    ("gradient_accumulation_steps", "gradient_accumulation_steps", positive),
    ("gradient_checkpointing", "unet.gradient_checkpointing transformer.gradient_checkpointing", truth),
    ("lr_scheduler", "learning_rate_scheduler", SCHEDULERS),
    ("lr_warmup_steps", "learning_rate_warmup_steps", number),
    ("lr_num_cycles", "learning_rate_cycles", number),
    ("optimizer", "optimizer.optimizer", OPTIMIZERS),
    ("optimizer_beta1", "optimizer.beta1", number),
    ("optimizer_beta2", "optimizer.beta2", number),
    ("adam_weight_decay", "optimizer.weight_decay", number),
    ("mixed_precision", "train_dtype", PRECISIONS),
    ("max_grad_norm", "clip_grad_norm", number),
    ("seed", "seed", whole),
    ("resolution", "resolution", _edge),
    ("offset_noise", "offset_noise_weight", lambda value: 0.1 if truth(value) else 0.0),
    ("noise_offset", "offset_noise_weight", number),
    ("input_perturbation", "perturbation_noise_weight", number),
    ("flow_schedule_shift", "timestep_shift", number),
    ("ema_decay", "ema_decay", number),
    ("ema_update_interval", "ema_update_step_interval", positive),
    ("caption_dropout_probability", "text_encoder.dropout_probability", number),
    ("rescale_betas_zero_snr", "rescale_noise_scheduler_to_zero_terminal_snr", truth),
)
DONE_APART = (
    *("num_train_epochs", "max_train_steps", "use_ema", "ema_device", "snr_gamma", "checkpointing_steps"),
    *("checkpoint_step_interval", "checkpoints_total_limit", "validation_prompt", "validation_negative_prompt"),
    *("validation_steps", "validation_step_interval", "validation_resolution", "validation_seed"),
    *("validation_guidance", "validation_num_inference_steps", "lora_type", "data_backend_config", "output_dir"),
    *("prediction_type", "loss_type"),
)
WITHOUT_MEANING = (
    *("report_to", "tracker_project_name", "tracker_run_name", "hub_model_id", "push_to_hub", "quantize_via"),
    *("push_checkpoints_to_hub", "resolution_type", "vae_batch_size", "num_eval_images", "disable_benchmark"),
    *("validation_torch_compile", "attention_mechanism", "allow_tf32", "logging_dir", "model_card_note"),
    *("resume_from_checkpoint", "minimum_image_size", "aspect_bucket_rounding", "webhook_config", "hub_model_id"),
    *("validation_disable_unconditional", "compress_disk_cache", "disable_bucket_pruning", "write_batch_size"),
    *("metadata_update_interval", "delete_unwanted_images", "report_to", "evaluation_type"),
)


def is_simpletuner(content: JsonObject) -> bool:
    keys = {str(key).removeprefix("--") for key in content}
    dashed = any(str(key).startswith("--") for key in content)
    return bool(SIGNS & keys) and ("pretrained_model_name_or_path" in keys or "model_family" in keys or dashed)


def is_backends(content: list[Any]) -> bool:
    """True for the list of data backends, which is a file of its own there."""
    return any(isinstance(one, dict) and SIGNS_OF_BACKEND & one.keys() for one in content)


def translated(content: JsonObject) -> Translation:
    result = Translation(TOOL)
    given = {str(key).removeprefix("--"): value for key, value in content.items()}
    translate(ROWS, given, result, (*DONE_APART, *WITHOUT_MEANING))
    if given.get("lora_type", "standard") != "standard":
        result.leave_out("lora_type", given["lora_type"], "set peft_type and its settings yourself")
    result.config.setdefault("training_method", "LORA")
    lora = result.config["training_method"] == "LORA"
    result.put("output_model_format", "DIFFUSERS_LORA" if lora else "DIFFUSERS")
    in_steps((_length, _averages, _saves, _samples), given, result)
    if name := given.get("data_backend_config"):
        result.leave_out("data_backend_config", name, "import that file as well, and take the concepts from its preset")
    return result


def _length(given: JsonObject, result: Translation) -> None:
    epochs, steps = given.get("num_train_epochs"), given.get("max_train_steps")
    if epochs:
        translate((("epochs", "epochs", positive),), {"epochs": epochs}, result)
    elif steps:
        why = "here a run is as long as its epochs; set epochs to these steps, divided by the steps of one epoch"
        result.leave_out("max_train_steps", steps, why)


def _averages(given: JsonObject, result: Translation) -> None:
    if str(given.get("use_ema", "")).lower() == "true":
        result.put("ema", "GPU" if given.get("ema_device") == "accelerator" else "CPU")
    if gamma := given.get("snr_gamma"):
        result.put("loss_weight_fn", "MIN_SNR_GAMMA")
        translate((("snr_gamma", "loss_weight_strength", number),), {"snr_gamma": gamma}, result)
    losses = {"huber": "huber_strength", "smooth_l1": "huber_strength"}
    if given.get("loss_type", "l2") in losses:
        result.put("mse_strength", 0.0)
        result.put(losses[given["loss_type"]], 1.0)
    if given.get("prediction_type") == "v_prediction":
        result.put("force_v_prediction", True)


def _saves(given: JsonObject, result: Translation) -> None:
    steps = given.get("checkpoint_step_interval") or given.get("checkpointing_steps")
    if steps:
        translate((("checkpointing_steps", "backup_after", positive),), {"checkpointing_steps": steps}, result)
        result.put("backup_after_unit", "STEP")
    if limit := given.get("checkpoints_total_limit"):
        result.put("rolling_backup", True)
        rows: tuple[Row, ...] = (("checkpoints_total_limit", "rolling_backup_count", positive),)
        translate(rows, {"checkpoints_total_limit": limit}, result)


def _samples(given: JsonObject, result: Translation) -> None:
    if not given.get("validation_prompt"):
        return
    rows: tuple[Row, ...] = (
        ("validation_prompt", "prompt", text),
        ("validation_negative_prompt", "negative_prompt", text),
        ("validation_resolution", "width height", _size),
        ("validation_seed", "seed", whole),
        ("validation_guidance", "cfg_scale", number),
        ("validation_num_inference_steps", "diffusion_steps", positive),
    )
    sample = Translation(TOOL)
    translate(rows, {key: given[key] for key, *_ in rows if key in given}, sample)
    result.put("samples", [sample.config])
    for note in sample.notes:
        result.note(note)
    if steps := given.get("validation_step_interval") or given.get("validation_steps"):
        translate((("validation_steps", "sample_after", positive),), {"validation_steps": steps}, result)
        result.put("sample_after_unit", "STEP")


BACKEND: tuple[Row, ...] = (
    ("instance_data_dir", "path", text),
    ("id", "name", text),
    ("repeats", "balancing", lambda value: number(value) + 1),  # there 0 repeats is once
    ("disabled", "enabled", lambda value: not truth(value)),
    (
        "caption_strategy",
        "text.prompt_source",
        choice(
            """
    textfile=sample filename=filename
"""
        ),
    ),
)
OF_BACKEND_ALONE = (
    *("type", "dataset_type", "cache_dir_vae", "cache_dir", "resolution", "resolution_type", "minimum_image_size"),
    *("maximum_image_size", "target_downsample_size", "metadata_backend", "default", "crop_style", "crop_aspect"),
)


def backends_translated(content: list[Any]) -> Translation:
    """The data backends with pictures as concepts."""
    result, concepts = Translation(TOOL), []
    for backend in content:
        if not isinstance(backend, dict) or backend.get("dataset_type", "image") != "image":
            continue
        concept = Translation(TOOL)
        translate(BACKEND, backend, concept, OF_BACKEND_ALONE, "a data backend's ")
        rows: tuple[Row, ...] = (("resolution", "image.resolution_override", _edge),)
        translate(rows, {key: backend[key] for key in ("resolution",) if key in backend}, concept)
        if "resolution_override" in concept.config.get("image", {}):
            concept.put("image.enable_resolution_override", True)
        if "path" in concept.config:
            concepts.append(concept.config)
        else:
            result.note(f"The data backend {backend.get('id', '')} has no folder on this machine, and was left out.")
        for note in concept.notes:
            result.note(note)
    result.put("concepts", concepts)
    return result
