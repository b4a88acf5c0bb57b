"""The optimizer's settings, one namespace for all optimizers that OneTrainer knows."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from engine.builtin.enums import Optimizer
from engine.builtin.settings import Settings, setting

# What OneTrainer starts each optimizer with, for the optimizers that the built-in trainer has.
OPTIMIZER_DEFAULTS: dict[Optimizer, dict[str, Any]] = {
    Optimizer.ADAMW: {
        "beta1": 0.9,
        "beta2": 0.999,
        "eps": 1e-8,
        "weight_decay": 0.01,
        "amsgrad": False,
        "foreach": False,
        "maximize": False,
        "capturable": False,
        "differentiable": False,
        "fused": True,
        "stochastic_rounding": False,
        "fused_back_pass": False,
    },
    Optimizer.PRODIGY: {
        "beta1": 0.9,
        "beta2": 0.999,
        "beta3": None,
        "eps": 1e-8,
        "weight_decay": 0.0,
        "decouple": True,
        "use_bias_correction": False,
        "safeguard_warmup": False,
        "d0": 1e-6,
        "d_coef": 1.0,
        "growth_rate": float("inf"),
        "fsdp_in_use": False,
        "slice_p": 11,
    },
    Optimizer.ADAFACTOR: {
        "eps": 1e-30,
        "eps2": 1e-3,
        "clip_threshold": 1.0,
        "decay_rate": -0.8,
        "beta1": None,
        "weight_decay": 0.0,
        "scale_parameter": False,
        "relative_step": False,
        "warmup_init": False,
        "stochastic_rounding": True,
        "fused_back_pass": False,
    },
}


@dataclass(kw_only=True)
class TrainOptimizerConfig(Settings):
    """The optimizer and its settings; what is empty or left out takes the optimizer's own default."""

    optimizer: Optimizer = setting(Optimizer.ADAMW, "The rule that turns gradients into weight changes.")

    # Averages of the gradient and of its square
    beta1: float | None = setting(None, "How slowly the average of the gradients moves.", minimum=0, maximum=1)
    beta2: float | None = setting(None, "How slowly the average of the squared gradients moves.", minimum=0, maximum=1)
    beta3: float | None = setting(None, "How slowly the estimate of the step size moves.", minimum=0, maximum=1)
    momentum: float | None = setting(None, "How much of the last step is kept.", minimum=0)
    dampening: float | None = setting(None, "How much the momentum is weakened.", minimum=0)
    nesterov: bool = setting(False, "Look ahead along the momentum.")
    eps: float | None = setting(None, "A small number that keeps divisions finite.", minimum=0)
    eps2: float | None = setting(None, "Adafactor's second small number: the least scale of a parameter.", minimum=0)
    amsgrad: bool = setting(False, "Keep the largest average of the squared gradients.")
    bias_correction: bool = setting(False, "Correct the averages of the first steps.")
    use_bias_correction: bool = setting(False, "Correct the averages of the first steps (Prodigy, D-Adaptation).")
    beta3_ema: float | None = setting(None, "How slowly the second, slow average of the gradients moves.")
    beta1_warmup: int | None = setting(None, "Steps over which beta1 rises.", minimum=0)
    min_beta1: float | None = setting(None, "Where beta1's rise begins.")
    beta2_normuon: float | None = setting(None, "NorMuon's average of the squared updates.")
    alpha: float | None = setting(None, "The weight of the slow average, or RMSprop's smoothing.")
    alpha_grad: float | None = setting(None, "The weight of the present gradient.")
    r: float | None = setting(None, "The power or smoothing that the optimizer calls r.")
    k: int | None = setting(None, "Aida's number of projections.")
    xi: float | None = setting(None, "Aida's small number.")

    # Weight decay
    weight_decay: float | None = setting(None, "How strongly weights are drawn to zero.", minimum=0)
    adam_w_mode: bool = setting(False, "Decay weights apart from the gradient (LAMB).")
    decouple: bool = setting(False, "Decay weights apart from the gradient (Prodigy, D-Adaptation).")
    decoupled_decay: bool = setting(False, "Decay weights apart from the gradient.")
    fixed_decay: bool = setting(False, "Decay weights independently of the learning rate.")
    weight_decay_by_lr: bool = setting(True, "Multiply the weight decay by the learning rate.")
    cautious_wd: bool = setting(False, "Decay weights only where the update agrees.")
    lr_decay: float | None = setting(None, "How fast Adagrad's learning rate falls.", minimum=0)

    # Step size by itself
    d0: float | None = setting(None, "The first estimate of the step size.", minimum=0)
    d_coef: float | None = setting(None, "A factor on the estimated step size.", minimum=0)
    growth_rate: float | None = setting(None, "How fast the estimated step size may grow.", minimum=1, infinite=True)
    safeguard_warmup: bool = setting(False, "Keep the estimate of the step size sound during the warm-up.")
    slice_p: int | None = setting(None, "Estimate the step size from every n-th weight, which saves memory.", minimum=1)
    prodigy_steps: int | None = setting(None, "Freeze the step size after this many steps.", minimum=0)
    d_limiter: bool | None = setting(True, "Limit the growth of the estimated step size.")
    use_speed: bool = setting(False, "Estimate the step size the quicker way.")
    split_groups: bool = setting(True, "Estimate a step size for each parameter group.")
    split_groups_mean: bool = setting(True, "Use the mean of the groups' step sizes.")
    log_every: int | None = setting(None, "Print the estimated step size every n steps.", minimum=0)
    no_prox: bool = setting(False, "Decay weights as Adam does (D-Adapt Adan).")

    # Adafactor
    clip_threshold: float | None = setting(None, "The largest root mean square of an update.", minimum=0)
    decay_rate: float | None = setting(None, "The power with which the average of the squared gradients forgets.")
    scale_parameter: bool = setting(False, "Scale the learning rate by the size of the weights.")
    relative_step: bool = setting(False, "Let Adafactor choose the learning rate.")
    warmup_init: bool = setting(False, "Start Adafactor's own learning rate low.")

    # Memory and precision
    stochastic_rounding: bool = setting(True, "Round 16-bit weights up or down by chance, which keeps small updates.")
    fused: bool = setting(False, "Use the single-kernel implementation.")
    fused_back_pass: bool = setting(False, "Update each weight as soon as its gradient is there, which saves memory.")
    foreach: bool | None = setting(False, "Use the implementation that works on many tensors at a time.")
    fsdp_in_use: bool = setting(False, "Weights are spread over several GPUs.")
    capturable: bool = setting(False, "Can be captured in a CUDA graph.")
    differentiable: bool = setting(False, "Let gradients flow through the update.")
    maximize: bool = setting(False, "Climb the loss instead of descending it.")
    compile: bool = setting(False, "Compile the update.")
    use_triton: bool = setting(False, "Use a Triton kernel.")
    optim_bits: int | None = setting(None, "Bits of the optimizer's state.")
    min_8bit_size: int | None = setting(None, "The least tensor whose state is kept in 8 bits.", minimum=0)
    quant_block_size: int | None = setting(None, "Values that share one 8-bit scale.", minimum=1)
    percentile_clipping: int | None = setting(None, "Clip gradients at this percentile of the last 100.", maximum=100)
    block_wise: bool = setting(False, "Scale the 8-bit state by block.")
    is_paged: bool = setting(False, "Let the state move to main memory.")
    max_unorm: float | None = setting(None, "The largest update in relation to the weights.", minimum=0)
    factored: bool = setting(True, "Keep squared gradients by row and column, which saves memory.")
    factored_fp32: bool = setting(True, "Keep the factored state in 32 bits.")
    nnmf_factor: bool = setting(False, "Keep the state as a low-rank product, which saves memory.")
    centered: bool = setting(False, "Subtract the mean from the squared gradients (RMSprop).")
    initial_accumulator_value: int | None = setting(None, "Where Adagrad's sum begins.", minimum=0)
    initial_accumulator: float | None = setting(None, "Where Yogi's average begins.", minimum=0)

    # Variants of the update
    cautious: bool = setting(False, "Update only where gradient and momentum agree.")
    use_cautious: bool = setting(False, "Update only where gradient and momentum agree.")
    use_grams: bool = setting(False, "Take the direction from the gradient, the size from the momentum.")
    use_adopt: bool = setting(False, "Update as ADOPT does.")
    use_stableadamw: bool = setting(True, "Limit updates as StableAdamW does.")
    use_schedulefree: bool | None = setting(True, "Average the weights instead of lowering the learning rate.")
    schedulefree_c: float | None = setting(None, "Schedule-free's averaging constant.")
    weight_lr_power: float | None = setting(None, "The learning rate's power in schedule-free's average.")
    use_orthograd: bool = setting(False, "Take from the gradient what points along the weights.")
    orthogonal_gradient: bool = setting(False, "Take from the gradient what points along the weights.")
    use_atan2: bool = setting(False, "Use the arc tangent in place of the division.")
    use_AdEMAMix: bool = setting(False, "Add a second, slow average of the gradients.")
    Simplified_AdEMAMix: bool = setting(False, "Use one average of the gradients in AdEMAMix.")
    kourkoutas_beta: bool = setting(False, "Let beta2 follow the spikes of the gradient.")
    rectify: bool = setting(False, "Rectify the variance of the first steps.")
    degenerated_to_sgd: bool = setting(False, "Step as SGD does while the variance is unknown.")
    n_sma_threshold: int | None = setting(None, "From which length of the average on to rectify.")
    ams_bound: bool = setting(False, "Keep the largest average of the squared gradients (Aida).")
    adanorm: bool = setting(False, "Normalize the gradient by its average length.")
    adam_debias: bool = setting(False, "Correct only the denominator.")
    auto_kappa_p: bool = setting(False, "Let Lion choose its norm by tensor.")

    # Muon
    ns_steps: int | None = setting(None, "Newton-Schulz iterations.", minimum=1)
    rms_rescaling: bool | None = setting(True, "Scale Muon's updates to Adam's size.")
    normuon_variant: bool = setting(False, "Normalize Muon's updates by row.")
    low_rank_ortho: bool = setting(False, "Orthogonalize in a low rank.")
    ortho_rank: int | None = setting(None, "That rank.", minimum=1)
    accelerated_ns: bool = setting(False, "Use the faster Newton-Schulz coefficients.")
    approx_mars: bool = setting(False, "Correct the gradient's variance as MARS does.")
    MuonWithAuxAdam: bool = setting(False, "Train what Muon cannot with Adam.")
    muon_hidden_layers: str | None = setting(None, "The layers that Muon trains.")
    muon_adam_regex: bool = setting(False, "Those layers are regular expressions.")
    muon_adam_lr: float | None = setting(None, "Adam's learning rate beside Muon.", minimum=0)
    muon_te1_adam_lr: float | None = setting(None, "That of the text encoder.", minimum=0)
    muon_te2_adam_lr: float | None = setting(None, "That of the second text encoder.", minimum=0)
    muon_adam_config: dict[str, Any] | None = setting(dict, "Adam's settings beside Muon.")

    def fill(self, given: frozenset[str]) -> None:
        """Take the optimizer's own default for what was left out or empty."""
        for name, value in OPTIMIZER_DEFAULTS.get(self.optimizer, {}).items():
            if name not in given or getattr(self, name) is None:
                setattr(self, name, value)

    def own_default(self, name: str) -> Any:
        """The default of one setting for the chosen optimizer."""
        return OPTIMIZER_DEFAULTS.get(self.optimizer, {}).get(name, self.default_of(name))
