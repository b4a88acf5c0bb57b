"""The optimizer's settings, one namespace for all optimizers that OneTrainer knows."""

from __future__ import annotations

import json
import math
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from engine.builtin.config.enums import Optimizer
from engine.builtin.config.settings import Settings, setting
from engine.interface.json_types import JsonObject


def _read_defaults() -> dict[Optimizer, JsonObject]:
    content = json.loads(Path(__file__).with_name("optimizer_defaults.json").read_text(encoding="utf-8"))
    return {
        Optimizer(optimizer): {name: math.inf if value == "inf" else value for name, value in own.items()}
        for optimizer, own in content.items()
    }


# OneTrainer's defaults for each optimizer; an optimizer does not have the settings that are missing here.
OPTIMIZER_DEFAULTS = _read_defaults()


@dataclass(kw_only=True)
class TrainOptimizerConfig(Settings):
    """The optimizer and its settings; an empty or missing setting takes the optimizer's own default."""

    optimizer: Optimizer = setting(Optimizer.ADAMW)

    # Averages of the gradient and of its square
    beta1: float | None = setting(None, minimum=0, below=1)
    beta2: float | None = setting(None, minimum=0, below=1)
    beta3: float | None = setting(None, minimum=0, maximum=1)
    momentum: float | None = setting(None, minimum=0)
    dampening: float | None = setting(None, minimum=0)
    nesterov: bool = setting(False)
    eps: float | None = setting(None, minimum=0, maximum=1)
    eps2: float | None = setting(None, minimum=0, maximum=1)
    amsgrad: bool = setting(False)
    bias_correction: bool = setting(False)
    use_bias_correction: bool = setting(False)
    beta3_ema: float | None = setting(None)
    beta1_warmup: int | None = setting(None, minimum=0)
    min_beta1: float | None = setting(None)
    beta2_normuon: float | None = setting(None)
    alpha: float | None = setting(None)
    alpha_grad: float | None = setting(None)
    r: float | None = setting(None)
    k: int | None = setting(None)
    xi: float | None = setting(None)

    # Weight decay
    weight_decay: float | None = setting(None, minimum=0, maximum=1000)
    adam_w_mode: bool = setting(False)
    decouple: bool = setting(False)
    decoupled_decay: bool = setting(False)
    fixed_decay: bool = setting(False)
    weight_decay_by_lr: bool = setting(True)
    cautious_wd: bool = setting(False)
    lr_decay: float | None = setting(None, minimum=0)

    # Step size by itself
    d0: float | None = setting(None, minimum=1e-12, maximum=1)
    d_coef: float | None = setting(None, minimum=0, maximum=1e6)
    growth_rate: float | None = setting(None, minimum=1, infinite=True)
    safeguard_warmup: bool = setting(False)
    slice_p: int | None = setting(None, minimum=1, maximum=1000)
    prodigy_steps: int | None = setting(None, minimum=0)
    d_limiter: bool | None = setting(True)
    use_speed: bool = setting(False)
    split_groups: bool = setting(True)
    split_groups_mean: bool = setting(True)
    log_every: int | None = setting(None, minimum=0)
    no_prox: bool = setting(False)

    # Adafactor
    clip_threshold: float | None = setting(None, minimum=0)
    decay_rate: float | None = setting(None, maximum=0)
    scale_parameter: bool = setting(False)
    relative_step: bool = setting(False)
    warmup_init: bool = setting(False)

    # Memory and precision
    stochastic_rounding: bool = setting(True)
    fused: bool = setting(False)
    fused_back_pass: bool = setting(False)
    foreach: bool | None = setting(False)
    fsdp_in_use: bool = setting(False)
    capturable: bool = setting(False)
    differentiable: bool = setting(False)
    maximize: bool = setting(False)
    compile: bool = setting(False)
    use_triton: bool = setting(False)
    optim_bits: int | None = setting(None)
    min_8bit_size: int | None = setting(None, minimum=0)
    quant_block_size: int | None = setting(None, minimum=1)
    percentile_clipping: int | None = setting(None, maximum=100)
    block_wise: bool = setting(False)
    is_paged: bool = setting(False)
    max_unorm: float | None = setting(None, minimum=0)
    factored: bool = setting(True)
    factored_fp32: bool = setting(True)
    nnmf_factor: bool = setting(False)
    centered: bool = setting(False)
    initial_accumulator_value: int | None = setting(None, minimum=0)
    initial_accumulator: float | None = setting(None, minimum=0)

    # Variants of the update
    cautious: bool = setting(False)
    use_cautious: bool = setting(False)
    use_grams: bool = setting(False)
    use_adopt: bool = setting(False)
    use_stableadamw: bool = setting(True)
    use_schedulefree: bool | None = setting(True)
    schedulefree_c: float | None = setting(None)
    weight_lr_power: float | None = setting(None)
    use_orthograd: bool = setting(False)
    orthogonal_gradient: bool = setting(False)
    use_atan2: bool = setting(False)
    use_AdEMAMix: bool = setting(False)  # noqa: N815  OneTrainer's name
    Simplified_AdEMAMix: bool = setting(False)
    kourkoutas_beta: bool = setting(False)
    rectify: bool = setting(False)
    degenerated_to_sgd: bool = setting(False)
    n_sma_threshold: int | None = setting(None)
    ams_bound: bool = setting(False)
    adanorm: bool = setting(False)
    adam_debias: bool = setting(False)
    auto_kappa_p: bool = setting(False)

    # Muon
    ns_steps: int | None = setting(None, minimum=1)
    rms_rescaling: bool | None = setting(True)
    normuon_variant: bool = setting(False)
    low_rank_ortho: bool = setting(False)
    ortho_rank: int | None = setting(None, minimum=1)
    accelerated_ns: bool = setting(False)
    approx_mars: bool = setting(False)
    MuonWithAuxAdam: bool = setting(False)
    muon_hidden_layers: str | None = setting(None)
    muon_adam_regex: bool = setting(False)
    muon_adam_lr: float | None = setting(None, minimum=0)
    muon_te1_adam_lr: float | None = setting(None, minimum=0)
    muon_te2_adam_lr: float | None = setting(None, minimum=0)
    muon_adam_config: JsonObject | None = setting(dict)

    def fill(self, given: frozenset[str]) -> None:
        """Give missing and empty settings the optimizer's own defaults."""
        for name, value in OPTIMIZER_DEFAULTS.get(self.optimizer, {}).items():
            if name not in given or getattr(self, name) is None:
                setattr(self, name, value)

    def own_default(self, name: str) -> Any:
        """The default of one setting for the chosen optimizer."""
        return OPTIMIZER_DEFAULTS.get(self.optimizer, {}).get(name, self.default_of(name))
