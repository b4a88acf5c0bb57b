"""The wizard's recipe: a partial config with a name, reasons, and the estimated time and memory.

It always trains a LoRA: that fits small GPUs, needs few pictures, and cannot spoil the base model.
"""

from __future__ import annotations

import re
from dataclasses import dataclass

from engine.interface.json_types import JsonObject
from training.wizard.families import train_format
from training.wizard.reasons import reasons
from training.wizard.training_plan import Answers, TrainingPlan, choose, samplings, total_seconds


@dataclass(frozen=True)
class Recipe:
    """A partial config and the facts that go into the draft."""

    name: str
    engine: str
    config: JsonObject
    reasons: list[str]
    seconds: float
    memory: float  # GiB at the peak
    resolution: int
    steps: int
    caption: str = ""  # for `Answers.caption_file`; empty if each picture has its own


def make_recipe(answers: Answers) -> Recipe:
    """The recipe for these answers. Raises BadInput with the answer's field and a sentence that says how to fix it."""
    plan = choose(answers)
    return Recipe(
        name=f"{answers.word} on {answers.family.title}"[:200],
        engine=answers.engine,
        config=_config(answers, plan),
        reasons=list(reasons(answers, plan)),
        seconds=total_seconds(answers, plan),
        memory=plan.memory,
        resolution=plan.resolution,
        steps=plan.steps,
        caption="" if answers.pictures.has_captions else answers.shared_caption,
    )


def _config(answers: Answers, plan: TrainingPlan) -> JsonObject:
    return {
        "model_type": answers.family.model_type,
        "training_method": "LORA",
        "base_model_name": answers.base_model,
        "output_model_format": answers.family.lora_format,
        "output_model_destination": f"models/{slug(answers.word)}.safetensors",
        "output_dtype": "FLOAT_16",
        "train_device": answers.device.kind,
        "train_dtype": train_format(answers.device),
        "concepts": [_concept(answers)],
        "resolution": str(plan.resolution),
        "batch_size": plan.batch,
        "gradient_accumulation_steps": plan.accumulation,
        "epochs": plan.epochs,
        **_rates(answers, plan),
        **_parts(answers, plan),
        "lora_rank": answers.what.rank,
        "lora_alpha": float(answers.what.rank),
        **_loss(answers),
        **_samples(answers, plan),
        **_backups(answers, plan),
    }


def _concept(answers: Answers) -> JsonObject:
    pictures = answers.pictures
    concept: JsonObject = {"name": answers.word, "path": pictures.folder}
    if pictures.subfolders:
        concept["include_subdirectories"] = True
    if answers.what.flips:
        concept["image"] = {"enable_random_flip": True}
    if not pictures.has_captions:
        concept["text"] = {"prompt_source": "concept", "prompt_path": answers.caption_file}
    return concept


def _rates(answers: Answers, plan: TrainingPlan) -> JsonObject:
    """A twentieth of the run warms up; 1 would mean the whole run."""
    warmup = min(100, plan.steps // plan.accumulation // 20)
    return {
        "learning_rate": answers.family.learning_rate,
        "learning_rate_scheduler": "COSINE",
        "learning_rate_warmup_steps": warmup if warmup > 1 else 0,
    }


def _parts(answers: Answers, plan: TrainingPlan) -> JsonObject:
    """The parts to train, and the number format of the frozen weights."""
    family = answers.family
    whole = train_format(answers.device)
    weights = plan.weights if family.weight_types.index(plan.weights) else whole
    # On a CPU, and in a part that is not trained, nothing is kept for the way back that could be computed again.
    trained: JsonObject = {"gradient_checkpointing": plan.checkpointing} if answers.device.is_gpu else {}
    parts: JsonObject = {family.part: {"train": True, "weight_dtype": weights, **trained}}
    parts["vae"] = {"weight_dtype": "FLOAT_32"}
    for name in family.text_encoders:
        parts[name] = {"train": answers.trains_text, "weight_dtype": whole if weights == whole else "FLOAT_8"}
        if answers.trains_text:
            parts[name] |= {"learning_rate": family.text_rate, **trained}
    return parts


def _loss(answers: Answers) -> JsonObject:
    if answers.family.tiny:  # in so short a run the average of the last weights is better than the last ones
        return {"ema": "CPU", "ema_decay": 0.99, "ema_update_step_interval": 1, "non_ema_sampling": False}
    return (
        {"loss_weight_fn": "MIN_SNR_GAMMA"}
        if answers.family.part == "unet"
        else {"timestep_distribution": "LOGIT_NORMAL"}
    )


def _samples(answers: Answers, plan: TrainingPlan) -> JsonObject:
    family, times = answers.family, samplings(answers, plan)
    shape: JsonObject = {"width": plan.resolution, "height": plan.resolution, "cfg_scale": family.cfg}
    shape["diffusion_steps"] = family.sample_steps
    if family.tiny:
        shape["noise_scheduler"] = "DDIM"
    samples = [{"prompt": prompt, "seed": number, **shape} for number, prompt in enumerate(answers.prompts, start=1)]
    if not times:
        return {"samples": samples, "sample_after_unit": "NEVER"}
    return {"samples": samples, "sample_after": max(1, plan.steps // times), "sample_after_unit": "STEP"}


def _backups(answers: Answers, plan: TrainingPlan) -> JsonObject:
    minutes = 30 if total_seconds(answers, plan) < 4 * 3600 else 60
    return {"backup_after": minutes, "backup_after_unit": "MINUTE", "rolling_backup": True, "rolling_backup_count": 2}


def slug(word: str) -> str:
    """The trigger word as a file name."""
    return re.sub(r"[^a-z0-9]+", "-", word.lower()).strip("-")[:60] or "lora"
