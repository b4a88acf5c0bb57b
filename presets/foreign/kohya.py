"""sd-scripts (kohya): the arguments of its training scripts, its dataset config, and the JSON files of its GUI.

Keys: docs/train_network_README.md and docs/config_README-en.md of kohya-ss/sd-scripts; the GUI of bmaltais/kohya_ss
writes the same names, and some of its own.
"""

from __future__ import annotations

import ast
import shlex
from collections.abc import Iterator
from pathlib import PurePath

from engine.interface.json_types import JsonObject
from presets.foreign.kohya_datasets import concept_of, datasets, is_dataset_config
from presets.foreign.tables import (
    PRECISIONS,
    NoCounterpart,
    Row,
    Translation,
    choice,
    in_steps,
    number,
    positive,
    resolution,
    text,
    translate,
    truth,
    whole,
)

TOOL = "kohya's sd-scripts"
SIGNS = {
    *("network_module", "network_dim", "train_data_dir", "optimizer_type", "max_train_epochs", "LoRA_type"),
    *("pretrained_model_name_or_path", "save_every_n_epochs", "enable_bucket", "max_data_loader_n_workers"),
    *("train_batch_size", "unet_lr", "cache_latents", "dataset_config", "mixed_precision", "max_train_steps"),
}
OPTIMIZERS = """
    AdamW=ADAMW AdamW8bit=ADAMW_8BIT PagedAdamW8bit=ADAMW_8BIT PagedAdamW=ADAMW Lion=LION Lion8bit=LION_8BIT
    PagedLion8bit=LION_8BIT SGDNesterov=SGD SGDNesterov8bit=SGD_8BIT DAdaptation=DADAPT_ADAM
    DAdaptAdam=DADAPT_ADAM CAME=CAME DAdaptAdaGrad=DADAPT_ADA_GRAD DAdaptAdan=DADAPT_ADAN
    DAdaptLion=DADAPT_LION DAdaptSGD=DADAPT_SGD AdaFactor=ADAFACTOR Prodigy=PRODIGY Adam=ADAM
    AdamWScheduleFree=SCHEDULE_FREE_ADAMW SGDScheduleFree=SCHEDULE_FREE_SGD
    prodigyplus.ProdigyPlusScheduleFree=PRODIGY_PLUS_SCHEDULE_FREE pytorch_optimizer.CAME=CAME
"""
OPTIMIZER = choice(OPTIMIZERS)
OF_XL = ("xl", "pony", "illustrious", "noob")  # in names of models
SCHEDULERS = choice(
    """
    constant=CONSTANT constant_with_warmup=CONSTANT linear=LINEAR cosine=COSINE
    cosine_with_restarts=COSINE_WITH_HARD_RESTARTS adafactor=ADAFACTOR rex=REX
"""
)


def _timestep(value: object) -> float:
    return number(value) / 1000  # there a timestep, here a share of all


def _clip_skip(value: object) -> int:
    return positive(value) - 1  # there the last layer counts as 1, here as 0


PROMPT_FLAGS = {"w": "width", "h": "height", "d": "seed", "l": "cfg_scale", "s": "diffusion_steps"}


def _samples(value: object) -> list[JsonObject]:
    """The prompts of a form, one in each line, with flags such as `--n negative --w 512`; not those of a file."""
    lines = [line.strip() for line in text(value).splitlines() if line.strip() and not line.startswith("#")]
    if len(lines) == 1 and lines[0].lower().endswith((".txt", ".toml", ".json")):
        raise NoCounterpart("read its prompts into the sample prompts of the config")
    return [_sample(line) for line in lines]


def _sample(line: str) -> JsonObject:
    prompt, *flags = line.split(" --")
    sample: JsonObject = {"prompt": prompt.strip()}
    for flag in flags:
        name, _space, value = flag.partition(" ")
        if name == "n":
            sample["negative_prompt"] = value.strip()
        elif name in PROMPT_FLAGS:
            sample[PROMPT_FLAGS[name]] = number(value) if name == "l" else whole(value)
    return sample


ROWS: tuple[Row, ...] = (
    ("pretrained_model_name_or_path", "base_model_name", text),
    ("vae", "vae.model_name", text),
    ("network_weights", "lora_model_name", text),
    ("network_dim", "lora_rank", positive),
    ("network_alpha", "lora_alpha", number),
    ("network_dropout", "dropout_probability", number),
    ("learning_rate", "learning_rate", number),
    ("unet_lr", "unet.learning_rate", number),
    ("train_batch_size", "batch_size", positive),
    ("gradient_accumulation_steps", "gradient_accumulation_steps", positive),
    ("gradient_checkpointing", "unet.gradient_checkpointing text_encoder.gradient_checkpointing", truth),
    ("max_train_epochs", "epochs", positive),
    ("epoch", "epochs", positive),
    ("lr_scheduler", "learning_rate_scheduler", SCHEDULERS),
    ("lr_warmup_steps", "learning_rate_warmup_steps", number),
    ("lr_warmup", "learning_rate_warmup_steps", lambda value: number(value) / 100),  # the GUI's percent
    ("lr_scheduler_num_cycles", "learning_rate_cycles", number),
    ("optimizer_type", "optimizer.optimizer", OPTIMIZER),
    ("optimizer", "optimizer.optimizer", OPTIMIZER),
    ("max_grad_norm", "clip_grad_norm", number),
    ("mixed_precision", "train_dtype", PRECISIONS),
    ("save_precision", "output_dtype", PRECISIONS),
    ("seed", "seed", whole),
    ("noise_offset", "offset_noise_weight", number),
    ("ip_noise_gamma", "perturbation_noise_weight", number),
    ("zero_terminal_snr", "rescale_noise_scheduler_to_zero_terminal_snr", truth),
    ("v_parameterization", "force_v_prediction", truth),
    ("clip_skip", "text_encoder_layer_skip", _clip_skip),
    ("min_timestep", "min_noising_strength", _timestep),
    ("max_timestep", "max_noising_strength", _timestep),
    ("discrete_flow_shift", "timestep_shift", number),
    ("enable_bucket", "aspect_ratio_bucketing", truth),
    ("cache_latents", "latent_caching", truth),
    ("cache_latents_to_disk", "latent_caching", truth),
    ("resolution", "resolution", resolution),
    ("max_resolution", "resolution", resolution),
    ("caption_dropout_rate", "text_encoder.dropout_probability", number),
    ("max_data_loader_n_workers", "dataloader_threads", lambda value: max(1, whole(value))),
    ("sample_prompts", "samples", _samples),
    ("learning_rate_te", "text_encoder.learning_rate", number),
    ("learning_rate_te1", "text_encoder.learning_rate", number),
    ("learning_rate_te2", "text_encoder_2.learning_rate", number),
)
DONE_APART = (
    *("output_dir", "output_name", "network_module", "network_args", "optimizer_args", "text_encoder_lr"),
    *("network_train_unet_only", "network_train_text_encoder_only", "min_snr_gamma", "debiased_estimation_loss"),
    *("loss_type", "huber_c", "save_every_n_epochs", "save_every_n_steps", "sample_every_n_epochs"),
    *("sample_every_n_steps", "train_data_dir", "max_train_steps", "v2", "sdxl", "LoRA_type", "use_8bit_adam"),
    *("use_lion_optimizer", "shuffle_caption", "keep_tokens", "flip_aug", "random_crop", "caption_extension"),
    *("conv_dim", "conv_alpha", "factor"),
    *("caption_tag_dropout_rate", "dataset_repeats", "save_model_as", "datasets", "general", "dataset_config"),
)
WITHOUT_MEANING = (
    *(
        "sdxl_no_half_vae",
        "unit",
        "train_on_input",
        "noise_offset_type",
        "dynamo_backend",
        "dynamo_mode",
        "unet",
    ),  # they change where and how it runs, not what is trained
    *("logging_dir", "log_with", "log_prefix", "log_tracker_name", "wandb_api_key", "output_config", "no_metadata"),
    *("persistent_data_loader_workers", "xformers", "sdpa", "mem_eff_attn", "lowram", "highvram", "training_comment"),
    *("console_log_level", "tokenizer_cache_dir", "cache_text_encoder_outputs", "no_half_vae", "full_path"),
    *("cache_text_encoder_outputs_to_disk", "num_cpu_threads_per_process", "skip_cache_check", "save_state"),
    *(
        "min_bucket_reso",
        "max_bucket_reso",
        "bucket_reso_steps",
        "bucket_no_upscale",
        "vae_batch_size",
        "save_last_n_epochs",
    ),
    *(
        "prior_loss_weight",
        "max_token_length",
        "sample_sampler",
        "model_list",
        "num_processes",
        "num_machines",
        "gpu_ids",
    ),
)


def is_kohya(content: JsonObject) -> bool:
    flat = _flat(content)
    return is_dataset_config(content) or len(SIGNS & flat.keys()) >= 2


def translated(content: JsonObject) -> Translation:
    result = Translation(TOOL)
    if is_dataset_config(content):
        in_steps((datasets,), content, result)
    arguments = {key: value for key, value in _flat(content).items() if key not in ("datasets", "general")}
    if arguments.get("max_train_epochs") in (0, "0"):  # the GUI's sign for no limit
        del arguments["max_train_epochs"]
    if SIGNS & arguments.keys():
        translate(ROWS, arguments, result, (*DONE_APART, *WITHOUT_MEANING))
        steps = (_method, _model_type, _optimizer, _parts, _losses, _intervals, _destination, _folder)
        in_steps(steps, arguments, result)
    return result


def _flat(content: JsonObject) -> JsonObject:
    """Sections of a TOML file have no meaning there: all keys are arguments."""
    flat: JsonObject = {}
    for key, value in content.items():
        flat |= value if isinstance(value, dict) else {key: value}
    return flat


def _method(arguments: JsonObject, result: Translation) -> None:
    module = str(arguments.get("network_module") or arguments.get("LoRA_type") or "")
    if not module and "network_dim" not in arguments:
        result.put("training_method", "FINE_TUNE")
        return
    given = dict(_pairs(arguments.get("network_args")))
    kind = f"{module} {given.pop('algo', '')}".lower()
    peft = "LOHA" if "loha" in kind else "LOKR" if "lokr" in kind else "OFT_2" if "oft" in kind else "LORA"
    result.put("training_method", "LORA")
    result.put("peft_type", peft)
    result.config.setdefault("lora_rank", 4)  # what sd-scripts takes where these two are missing
    result.config.setdefault("lora_alpha", 1.0)
    of_lycoris: JsonObject = {
        key: arguments[key] for key in ("conv_dim", "factor") if key in arguments and "ly" in kind
    }
    for key, value in {**of_lycoris, **given}.items():
        if key == "dora_wd":
            result.put("lora_decompose", truth(value))
        elif key == "factor" and peft == "LOKR":
            result.put("lokr_decompose_factor", whole(value))
        elif str(value) not in ("0", "False", "-1"):
            result.leave_out(f"network_args {key}", value)


def _pairs(arguments: object) -> Iterator[tuple[str, str]]:
    """ "key=value" texts, in a list or with spaces between them."""
    items = shlex.split(arguments) if isinstance(arguments, str) else arguments if isinstance(arguments, list) else []
    for item in items:
        key, equals, value = str(item).partition("=")
        if equals:
            yield key.strip(), value.strip()


def _model_type(arguments: JsonObject, result: Translation) -> None:
    hints = f"{arguments.get('network_module', '')} {arguments.get('LoRA_type', '')}".lower()
    name = PurePath(str(arguments.get("pretrained_model_name_or_path", ""))).name.lower()
    if "flux" in hints or "ae" in arguments:
        kind = "FLUX_DEV_1"
    elif "sd3" in hints:
        kind = "STABLE_DIFFUSION_35" if "3.5" in name or "35" in name else "STABLE_DIFFUSION_3"
    elif (
        arguments.get("sdxl") or "sdxl" in hints or any(part in name for part in ("xl", "pony", "illustrious", "noob"))
    ):
        kind = "STABLE_DIFFUSION_XL_10_BASE"
    elif arguments.get("v2"):
        kind = "STABLE_DIFFUSION_21" if arguments.get("v_parameterization") else "STABLE_DIFFUSION_21_BASE"
    else:
        kind = "STABLE_DIFFUSION_15"
    result.put("model_type", kind)
    result.note(f"The model type {kind} was derived from the names in the file: check it.")


def _optimizer(arguments: JsonObject, result: Translation) -> None:
    if arguments.get("use_8bit_adam"):
        result.put("optimizer.optimizer", "ADAMW_8BIT")
    if arguments.get("use_lion_optimizer"):
        result.put("optimizer.optimizer", "LION")
    if str(arguments.get("optimizer_type", "")).lower().startswith("sgdnesterov"):
        result.put("optimizer.nesterov", True)
        result.put("optimizer.momentum", 0.9)
    for key, value in _pairs(arguments.get("optimizer_args")):
        try:
            read = ast.literal_eval(value)
        except (ValueError, SyntaxError, MemoryError, RecursionError):
            read = value
        _put_optimizer_argument(key, read, result)
    if arguments.get("lr_scheduler") == "constant" and "lr_warmup_steps" not in arguments:
        result.put("learning_rate_warmup_steps", 0.0)


PLAIN = {
    *("weight_decay", "eps", "momentum", "d_coef", "d0", "growth_rate", "decay_rate", "clip_threshold"),
    *("decouple", "use_bias_correction", "safeguard_warmup", "relative_step", "scale_parameter", "warmup_init"),
}


def _put_optimizer_argument(key: str, value: object, result: Translation) -> None:
    if key == "betas" and isinstance(value, tuple | list) and 2 <= len(value) <= 3:
        for place, beta in enumerate(value, 1):
            result.put(f"optimizer.beta{place}", float(beta))
    elif key in PLAIN and isinstance(value, int | float):
        result.put(f"optimizer.{key}", value)
    elif key == "eps" and isinstance(value, tuple) and len(value) == 2:
        result.put("optimizer.eps", float(value[0]))
        result.put("optimizer.eps2", float(value[1]))
    else:
        result.leave_out(f"optimizer_args {key}", value)


def _parts(arguments: JsonObject, result: Translation) -> None:
    if arguments.get("network_train_unet_only"):
        result.put("text_encoder.train", False)
        result.put("text_encoder_2.train", False)
    if arguments.get("network_train_text_encoder_only"):
        result.put("unet.train", False)
    rates = arguments.get("text_encoder_lr")
    listed = rates if isinstance(rates, list) else [rates]
    for part, rate in zip(("text_encoder", "text_encoder_2", "text_encoder_3"), listed, strict=False):
        if isinstance(rate, int | float) and not isinstance(rate, bool):
            result.put(f"{part}.{'learning_rate' if rate else 'train'}", float(rate) if rate else False)


def _losses(arguments: JsonObject, result: Translation) -> None:
    if gamma := arguments.get("min_snr_gamma"):
        result.put("loss_weight_fn", "MIN_SNR_GAMMA")
        result.put("loss_weight_strength", float(gamma))
    if arguments.get("debiased_estimation_loss"):
        result.put("loss_weight_fn", "DEBIASED_ESTIMATION")
    kind = str(arguments.get("loss_type") or "l2")
    strengths = {"l2": "mse_strength", "l1": "mae_strength", "huber": "huber_strength", "smooth_l1": "huber_strength"}
    if kind not in strengths:
        result.leave_out("loss_type", kind)
    elif kind != "l2":
        result.put("mse_strength", 0.0)
        result.put(strengths[kind], 1.0)
        if "huber" in strengths[kind]:
            result.put("huber_delta", float(arguments.get("huber_c", 0.1)))


def _intervals(arguments: JsonObject, result: Translation) -> None:
    for start, field in (("save_every", "save_every"), ("sample_every", "sample_after")):
        for end, unit in (("n_epochs", "EPOCH"), ("n_steps", "STEP")):
            count = arguments.get(f"{start}_{end}")
            if isinstance(count, int) and count > 0:
                result.put(field, count)
                result.put(f"{field}_unit", unit)
    steps = arguments.get("max_train_steps")
    if steps and "epochs" not in result.config:
        why = "here a run is as long as its epochs; set epochs to these steps, divided by the steps of one epoch"
        result.leave_out("max_train_steps", steps, why)


def _destination(arguments: JsonObject, result: Translation) -> None:
    if name := arguments.get("output_name"):
        result.put("output_model_destination", f"models/{PurePath(str(name)).name}.safetensors")
    lora = result.config.get("training_method") == "LORA"
    result.put("output_model_format", "KOHYA_LORA" if lora else "ORIGINAL_SINGLE_FILE")
    kind = arguments.get("save_model_as", "safetensors")
    if kind not in ("safetensors", None):
        result.leave_out("save_model_as", kind, "models are written as safetensors")


def _folder(arguments: JsonObject, result: Translation) -> None:
    folder = arguments.get("train_data_dir")
    if folder and "concepts" not in result.config:
        result.put("concepts", [concept_of(arguments, {"path": str(folder), "include_subdirectories": True}, result)])
        result.note(
            "train_data_dir became one concept with its subfolders: a number that begins a subfolder's name is not "
            "read as its repeats, so set balancing, or make a concept of each."
        )
    if name := arguments.get("dataset_config"):
        result.leave_out("dataset_config", name, "import that file as well, and take the concepts from its preset")
    if folder := arguments.get("reg_data_dir"):
        result.leave_out("reg_data_dir", folder, "add a concept of the type PRIOR_PREDICTION")
