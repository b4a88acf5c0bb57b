"""The memory that a LoRA on a base model takes, beside what the workers' devices have."""

from __future__ import annotations

from dataclasses import dataclass

from django.utils.translation import gettext as _

from engine.base_models import CatalogueModel
from training.wizard.families import Device
from training.wizard.memory_fit import ADDED, BYTES, GIB, RESERVED

FORMATS = {"BFLOAT_16": "", "FLOAT_8": "8", "NFLOAT_4": "4"}  # number formats of the frozen weights, and their bits


@dataclass(frozen=True)
class MemoryFit:
    """GiB in 16 bits, and whether a device has them; `bits` is 8 or 4 where it fits with such weights alone."""

    needed: float
    fits: bool
    bits: str = ""
    least: float = 0.0

    @property
    def sentence(self) -> str:
        facts = {"needed": f"{self.needed:.1f}", "least": f"{self.least:.1f}", "bits": self.bits}
        if self.fits and self.bits:
            return _("%(needed)s GB; fits with %(bits)s-bit weights (%(least)s GB)") % facts
        return (_("%(needed)s GB; fits") if self.fits else _("%(needed)s GB; more than a device here has")) % facts


def needed_memory(model: CatalogueModel, weights: str = "BFLOAT_16") -> float:
    """GiB for a LoRA with batch size 1 at the native resolution, with gradient checkpointing.

    The text encoders leave the device after caching.
    """
    return RESERVED + ADDED + model.parameters * 1e9 * BYTES[weights] / GIB + model.activations


def memory_fit(model: CatalogueModel, devices: list[Device]) -> MemoryFit:
    """The largest device decides; on a CPU the weights have 32 bits."""
    largest = max((device.memory for device in devices if device.is_gpu), default=0.0)
    needed = needed_memory(model)
    if not largest:
        main = max((device.memory for device in devices), default=0.0)
        on_cpu = needed_memory(model, "FLOAT_32") + model.activations
        return MemoryFit(on_cpu, on_cpu <= main)
    formats = FORMATS if model.quantized else {"BFLOAT_16": ""}
    for weights, bits in formats.items():
        if (least := needed_memory(model, weights)) <= largest:
            return MemoryFit(needed, True, bits, least)
    return MemoryFit(needed, False)
