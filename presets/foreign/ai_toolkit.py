"""ai-toolkit (ostris): a job's YAML or JSON, of which the first process is translated.

Keys: config/examples of ostris/ai-toolkit, and the settings of its network, train, dataset, model and sample sections.
"""

from __future__ import annotations

from pathlib import PurePath

from engine.interface.json_types import JsonObject
from presets.foreign.tables import (
    PRECISIONS,
    Row,
    Translation,
    choice,
    in_steps,
    names,
    number,
    positive,
    resolutions,
    text,
    translate,
    truth,
    whole,
)

TOOL = "ai-toolkit"
OPTIMIZERS = choice(
    """
    adamw=ADAMW adamw8bit=ADAMW_8BIT adam=ADAM adam8bit=ADAM_8BIT adamw8=ADAMW_8BIT lion=LION
    lion8bit=LION_8BIT prodigy=PRODIGY prodigy8bit=PRODIGY adafactor=ADAFACTOR adagrad=ADAGRAD
    dadaptation=DADAPT_ADAM
"""
)
SCHEDULERS = choice(
    """
    constant=CONSTANT constant_with_warmup=CONSTANT linear=LINEAR cosine=COSINE
    cosine_with_restarts=COSINE_WITH_RESTARTS
"""
)
MODEL_TYPES = names(
    """
    sd1=STABLE_DIFFUSION_15 sd15=STABLE_DIFFUSION_15 sd2=STABLE_DIFFUSION_21_BASE
    sdxl=STABLE_DIFFUSION_XL_10_BASE sd3=STABLE_DIFFUSION_35 flux=FLUX_DEV_1 flux2=FLUX_2 chroma=CHROMA_1
    qwen_image=QWEN zimage=Z_IMAGE hidream=HI_DREAM_FULL sana=SANA pixart=PIXART_ALPHA
    pixart_sigma=PIXART_SIGMA
"""
)
BY_FLAG = (("is_xl", "sdxl"), ("is_flux", "flux"), ("is_v3", "sd3"), ("is_v2", "sd2"), ("is_pixart", "pixart"))
TRAIN: tuple[Row, ...] = (
    ("batch_size", "batch_size", positive),
    ("gradient_accumulation", "gradient_accumulation_steps", positive),
    ("gradient_accumulation_steps", "gradient_accumulation_steps", positive),
    ("train_unet", "unet.train transformer.train", truth),
    ("train_text_encoder", "text_encoder.train", truth),
    ("gradient_checkpointing", "unet.gradient_checkpointing transformer.gradient_checkpointing", truth),
    ("optimizer", "optimizer.optimizer", OPTIMIZERS),
    ("lr", "learning_rate", number),
    ("unet_lr", "unet.learning_rate transformer.learning_rate", number),
    ("text_encoder_lr", "text_encoder.learning_rate", number),
    ("lr_scheduler", "learning_rate_scheduler", SCHEDULERS),
    ("dtype", "train_dtype", PRECISIONS),
    ("noise_offset", "offset_noise_weight", number),
    ("max_grad_norm", "clip_grad_norm", number),
    ("min_denoising_steps", "min_noising_strength", lambda value: number(value) / 1000),
    ("max_denoising_steps", "max_noising_strength", lambda value: number(value) / 1000),
)
TRAIN_APART = (
    *("steps", "ema_config", "optimizer_params", "lr_scheduler_params", "min_snr_gamma", "snr_gamma", "loss_type"),
    *("disable_sampling", "noise_scheduler", "skip_first_sample", "cache_text_embeddings"),
)
NETWORK: tuple[Row, ...] = (
    ("linear", "lora_rank", positive),
    ("rank", "lora_rank", positive),
    ("linear_alpha", "lora_alpha", number),
    ("alpha", "lora_alpha", number),
    ("dropout", "dropout_probability", number),
    ("lokr_factor", "lokr_decompose_factor", whole),
    ("lokr_full_rank", "lokr_full_matrix", truth),
    ("pretrained_lora_path", "lora_model_name", text),
)
SAVE: tuple[Row, ...] = (("dtype", "output_dtype", PRECISIONS), ("save_every", "save_every", positive))
MODEL: tuple[Row, ...] = (
    ("name_or_path", "base_model_name", text),
    ("vae_path", "vae.model_name", text),
    ("lora_path", "lora_model_name", text),
)
DATASET: tuple[Row, ...] = (
    ("folder_path", "path", text),
    ("num_repeats", "balancing", number),
    ("shuffle_tokens", "text.enable_tag_shuffling", truth),
    ("keep_tokens", "text.keep_tags_count", whole),
    ("token_dropout_rate", "text.tag_dropout_probability", number),
    ("flip_x", "image.enable_random_flip", truth),
    ("loss_multiplier", "loss_weight", number),
)
DATASET_APART = (
    *("resolution", "cache_latents", "cache_latents_to_disk", "caption_ext", "caption_dropout_rate", "is_reg"),
    *("buckets", "type", "cache_text_embeddings"),
)


def is_ai_toolkit(content: JsonObject) -> bool:
    config = content.get("config") if isinstance(content.get("config"), dict) else content
    processes = config.get("process") if isinstance(config, dict) else None
    return isinstance(processes, list) and any(isinstance(one, dict) and "type" in one for one in processes)


def translated(content: JsonObject) -> Translation:
    config = content["config"] if isinstance(content.get("config"), dict) else content
    processes = [one for one in config["process"] if isinstance(one, dict)]
    process, result = processes[0], Translation(TOOL)
    if len(processes) > 1:
        result.note(f"The file has {len(processes)} processes: the first was translated.")
    in_steps((_model, _network, _train, _concepts, _samples), process, result)
    translate(SAVE, _part(process, "save"), result, ("push_to_hub", "hf_repo_id", "hf_private"), "save.")
    if "save_every" in result.config:
        result.put("save_every_unit", "STEP")
    if name := config.get("name"):
        result.put("output_model_destination", f"models/{PurePath(str(name)).name}.safetensors")
    if word := process.get("trigger_word"):
        result.leave_out("trigger_word", word, "write it into the captions and the sample prompts")
    return result


def _part(process: JsonObject, name: str) -> JsonObject:
    part = process.get(name)
    return part if isinstance(part, dict) else {}


def _model(process: JsonObject, result: Translation) -> None:
    model = _part(process, "model")
    flag = next((kind for key, kind in BY_FLAG if model.get(key)), "sd1")
    arch = str(model.get("arch") or flag)
    kind = MODEL_TYPES.get(arch.partition(":")[0])
    if kind is None:
        result.leave_out("model.arch", arch, "choose the model type yourself")
    else:
        result.put("model_type", kind)
    translate(MODEL, model, result, ("arch", "low_vram", *(key for key, _kind in BY_FLAG)), "model.")


def _network(process: JsonObject, result: Translation) -> None:
    network = _part(process, "network")
    result.put("training_method", "LORA" if network else "FINE_TUNE")
    result.put("output_model_format", "DIFFUSERS_LORA" if network else "DIFFUSERS")
    if not network:
        return
    kind = str(network.get("type", "lora")).lower()
    if kind not in ("lora", "lokr"):
        result.leave_out("network.type", kind)
    result.put("peft_type", "LOKR" if kind == "lokr" else "LORA")
    translate(NETWORK, network, result, ("type",), "network.")
    rank = result.config.get("lora_rank")
    if rank is not None:
        result.config.setdefault("lora_alpha", float(rank))  # there a missing alpha is the rank


def _train(process: JsonObject, result: Translation) -> None:
    train = _part(process, "train")
    translate(TRAIN, train, result, TRAIN_APART, "train.")
    if steps := train.get("steps"):
        why = "here a run is as long as its epochs; set epochs to these steps, divided by the steps of one epoch"
        result.leave_out("train.steps", steps, why)
    ema = _part(train, "ema_config")
    if ema.get("use_ema"):
        result.put("ema", "GPU")
        translate((("ema_decay", "ema_decay", number),), ema, result, ("use_ema",), "train.ema_config.")
    parameters = (("weight_decay", "optimizer.weight_decay", number), ("eps", "optimizer.eps", number))
    translate(parameters, _part(train, "optimizer_params"), result, (), "train.optimizer_params.")
    _losses(train, result)
    warmup = _part(train, "lr_scheduler_params").get("num_warmup_steps", 0)
    translate((("num_warmup_steps", "learning_rate_warmup_steps", number),), {"num_warmup_steps": warmup}, result)
    if train.get("disable_sampling"):
        result.put("sample_after_unit", "NEVER")


def _losses(train: JsonObject, result: Translation) -> None:
    if gamma := train.get("min_snr_gamma") or train.get("snr_gamma"):
        result.put("loss_weight_fn", "MIN_SNR_GAMMA")
        translate((("snr_gamma", "loss_weight_strength", number),), {"snr_gamma": gamma}, result, (), "train.")
    kind = train.get("loss_type", "mse")
    if kind in ("mae", "l1"):
        result.put("mse_strength", 0.0)
        result.put("mae_strength", 1.0)
    elif kind not in (None, "mse", "l2"):
        result.leave_out("train.loss_type", kind)


def _concepts(process: JsonObject, result: Translation) -> None:
    datasets, concepts = process.get("datasets"), []
    for dataset in datasets if isinstance(datasets, list) else []:
        if not isinstance(dataset, dict):
            continue
        concept = Translation(TOOL)
        translate(DATASET, dataset, concept, DATASET_APART, "datasets.")
        if dataset.get("is_reg"):
            concept.put("type", "PRIOR_PREDICTION")
        if concept.config.get("text", {}).get("tag_dropout_probability"):
            concept.put("text.tag_dropout_enable", True)
            concept.put("text.tag_dropout_mode", "RANDOM")
        concepts.append(concept.config)
        for note in concept.notes:
            result.note(note)
        _of_all_pictures(dataset, result)
    if concepts:
        result.put("concepts", concepts)


def _of_all_pictures(dataset: JsonObject, result: Translation) -> None:
    """Settings of a dataset there that a whole config has here."""
    rows: tuple[Row, ...] = (
        ("resolution", "resolution", resolutions),
        ("caption_dropout_rate", "text_encoder.dropout_probability", number),
        ("cache_latents", "latent_caching", truth),
        ("cache_latents_to_disk", "latent_caching", truth),
    )
    translate(rows, {key: dataset[key] for key, *_ in rows if key in dataset}, result, (), "datasets.")
    ending = str(dataset.get("caption_ext") or "txt")
    if ending.lstrip(".") != "txt":
        result.note(f"The captions end in {ending}: press Check to see whether they are found.")


SAMPLE: tuple[Row, ...] = (
    ("width", "width", positive),
    ("height", "height", positive),
    ("seed", "seed", whole),
    ("guidance_scale", "cfg_scale", number),
    ("sample_steps", "diffusion_steps", positive),
    ("neg", "negative_prompt", text),
)
SAMPLE_APART = ("prompts", "samples", "sample_every", "sampler", "walk_seed", "sample_start_step", "num_frames", "fps")


def _samples(process: JsonObject, result: Translation) -> None:
    sample = _part(process, "sample")
    prompts = sample.get("prompts") or sample.get("samples") or []
    shared = Translation(TOOL)
    translate(SAMPLE, sample, shared, SAMPLE_APART, "sample.")
    for note in shared.notes:
        result.note(note)
    samples = []
    for prompt in prompts if isinstance(prompts, list) else []:
        own = Translation(TOOL)
        given = prompt if isinstance(prompt, dict) else {"prompt": str(prompt)}
        translate((("prompt", "prompt", text), *SAMPLE), given, own, (), "sample.samples.")
        samples.append({**shared.config, **own.config})
    if samples:
        result.put("samples", samples)
    if "sample_every" in sample:
        translate((("sample_every", "sample_after", positive),), {"sample_every": sample["sample_every"]}, result)
        result.config.setdefault("sample_after_unit", "STEP")
