"""The cases that both trainers compute: settings of noise, loss and schedule, each with values that matter."""

from __future__ import annotations

from typing import Any

Config = dict[str, Any]

CAPTIONS = ["a red circle number 1", "a red circle " * 40]  # the second is longer than the encoder's limit
LOSS_WEIGHT = [1.0, 0.5]
DISTRIBUTIONS: dict[str, Config] = {
    "UNIFORM": {},
    "SIGMOID": {"noising_weight": 4.0, "noising_bias": 0.1},
    "LOGIT_NORMAL": {"noising_weight": 0.3, "noising_bias": -0.5},
    "HEAVY_TAIL": {"noising_weight": 1.2},
    "COS_MAP": {},
    "INVERTED_PARABOLA": {"noising_weight": 7.0, "noising_bias": 0.2},
    "BETA": {"noising_weight": 0.8, "noising_bias": 1.0},
    "BETA of the second shape": {"noising_weight": 1.0, "noising_bias": 0.5},
    "BETA of two shapes": {"noising_weight": 2.0, "noising_bias": 3.0},
}
RANGES: dict[str, Config] = {
    "": {},
    "shifted": {"timestep_shift": 3.0},
    "limited": {"min_noising_strength": 0.2, "max_noising_strength": 0.7},
    "both": {"timestep_shift": 0.5, "min_noising_strength": 0.1, "max_noising_strength": 0.9},
}
TIMESTEPS: dict[str, Config] = {
    f"timesteps {name} {label}".strip(): {"timestep_distribution": name.split()[0], **values, **limits}
    for name, values in DISTRIBUTIONS.items()
    for label, limits in RANGES.items()
}
ERRORS: dict[str, Config] = {
    "plain": {},
    "mse": {"mse_strength": 0.7},
    "mae": {"mse_strength": 0.0, "mae_strength": 0.5},
    "log-cosh": {"mse_strength": 0.0, "log_cosh_strength": 2.0},
    "huber": {"mse_strength": 0.0, "huber_strength": 1.5, "huber_delta": 0.3},
    "all errors": {"mae_strength": 0.2, "log_cosh_strength": 0.3, "huber_strength": 0.4},
    "variational bound": {"vb_loss_strength": 3.0},
    **{
        f"loss scaler {scaler}": {"loss_scaler": scaler, "gradient_accumulation_steps": 3}
        for scaler in ("BATCH", "GLOBAL_BATCH", "GRADIENT_ACCUMULATION", "BOTH", "GLOBAL_BOTH")
    },
    **{
        f"rate scaler {scaler}": {"learning_rate_scaler": scaler, "gradient_accumulation_steps": 3}
        for scaler in ("NONE", "BATCH", "GLOBAL_BATCH", "GRADIENT_ACCUMULATION", "BOTH", "GLOBAL_BOTH")
    },
    "offset noise": {"offset_noise_weight": 0.3},
    "generalized offset noise": {"offset_noise_weight": 0.3, "generalized_offset_noise": True},
    "perturbation noise": {"perturbation_noise_weight": 0.2},
    "all noise": {"offset_noise_weight": 0.1, "perturbation_noise_weight": 0.2},
    "low timesteps": {"max_noising_strength": 0.3},
    "frozen text encoder": {"text_encoder": {"train": False}},
}
VELOCITY: dict[str, Config] = {
    "noise": {},
    "velocity": {"force_v_prediction": True},
    "zero terminal SNR": {"rescale_noise_scheduler_to_zero_terminal_snr": True},
}
WEIGHTS: dict[str, Config] = {
    f"{name} of {target}": {"loss_weight_fn": name, "loss_weight_strength": 1.3, **kind}
    for name in ("CONSTANT", "P2", "MIN_SNR_GAMMA", "DEBIASED_ESTIMATION")
    for target, kind in VELOCITY.items()
}
LOSSES = ERRORS | WEIGHTS

CUSTOM = "torch.optim.lr_scheduler."
COURSES: dict[str, Config] = {
    name: {"learning_rate_scheduler": name, "learning_rate_cycles": 2.5, "learning_rate_min_factor": 0.1}
    for name in ("CONSTANT", "LINEAR", "COSINE", "COSINE_WITH_RESTARTS", "COSINE_WITH_HARD_RESTARTS", "REX")
} | {
    f"CUSTOM {name}": {
        "learning_rate_scheduler": "CUSTOM",
        "custom_learning_rate_scheduler": CUSTOM + name,
        "scheduler_params": [{"key": key, "value": value} for key, value in arguments.items()],
    }
    for name, arguments in {
        "StepLR": {"step_size": "%STEPS_PER_EPOCH%", "gamma": "0.5"},
        "MultiStepLR": {"milestones": "[2, 5]", "gamma": "0.5"},
        "ConstantLR": {"factor": "0.5", "total_iters": "3"},
        "LinearLR": {"start_factor": "0.5", "total_iters": "%TOTAL_STEPS%"},
        "ExponentialLR": {"gamma": "0.9"},
        "PolynomialLR": {"total_iters": "%SCHEDULER_STEPS%", "power": "2.0"},
        "CosineAnnealingLR": {"T_max": "%EPOCHS%", "eta_min": "1e-5"},
        "CosineAnnealingWarmRestarts": {"T_0": "4", "T_mult": "2"},
        "CyclicLR": {"base_lr": "1e-4", "max_lr": "%LR%", "step_size_up": "3"},
        "OneCycleLR": {"max_lr": "%LR%", "total_steps": "%TOTAL_STEPS%", "pct_start": "0.5"},
    }.items()
}
WARMUPS: dict[str, Config] = {
    "": {"learning_rate_warmup_steps": 0},
    "steps": {"learning_rate_warmup_steps": 6},
    "share": {"learning_rate_warmup_steps": 0.3},
    "accumulated": {"learning_rate_warmup_steps": 7, "gradient_accumulation_steps": 2},
}
SCHEDULES: dict[str, Config] = {
    f"rates {name} {label}".strip(): {"learning_rate": 1e-3, "epochs": 4, **course, **warmup}
    for name, course in COURSES.items()
    for label, warmup in WARMUPS.items()
}
STOPS = {
    "stop NEVER": ("NEVER", None),
    "stop ALWAYS": ("ALWAYS", None),
    "stop STEP": ("STEP", 4),
    "stop EPOCH": ("EPOCH", 2),
    "stop at the first STEP": ("STEP", 0),
}
AVERAGES = {"averages": (0.999, 1, 12), "averages of every third": (0.5, 3, 12)}

LORA: Config = {"training_method": "LORA", "output_model_format": "KOHYA_LORA"}
TRAININGS: dict[str, Config] = {
    "fine-tune": {"learning_rate": 1e-3},
    "fine-tune of some layers": {"learning_rate": 1e-3, "layer_filter": "attn, conv_in"},
    "fine-tune with averages": {"ema": "CPU", "ema_update_step_interval": 2, "ema_decay": 0.8, "learning_rate": 1e-3},
    "fine-tune of an early stop": {
        "ema": "CPU",
        "ema_update_step_interval": 1,
        "text_encoder": {"stop_training_after": 2, "stop_training_after_unit": "STEP"},
    },
    "accumulation and warm-up": {
        "gradient_accumulation_steps": 2,
        "learning_rate_warmup_steps": 4,
        "learning_rate_scheduler": "COSINE",
        "learning_rate_scaler": "BOTH",
        "loss_scaler": "BATCH",
    },
    "Adafactor with its own rate": {
        "learning_rate_scheduler": "ADAFACTOR",
        "optimizer": {"optimizer": "ADAFACTOR", "relative_step": True, "warmup_init": True},
    },
    "Prodigy": {"learning_rate": 1.0, "optimizer": {"optimizer": "PRODIGY"}},
    "LoRA": LORA,
    "LoRA of attention": LORA | {"layer_filter": "attn", "text_encoder": {"train": False}},
    "LoRA by expressions": LORA | {"layer_filter": r"attn[12]\.to_[qk], conv_(in|out)", "layer_filter_regex": True},
    "LoRA with dropout": LORA | {"dropout_probability": 0.3},
    "LoRA that stops": LORA | {"unet": {"stop_training_after": 2, "stop_training_after_unit": "EPOCH"}},
}
