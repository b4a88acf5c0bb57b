"""What a user's draft of a new run starts from: the preset used last, or the preset that fits this site's machine."""

from __future__ import annotations

import re

from django.contrib.auth.models import User

from engine.interface.json_types import JsonObject
from presets.editor import drafts
from presets.models import Draft, Preset
from training.models import Run
from training.wizard.families import Device, train_format
from training.wizard.machine_facts import devices

MEMORY = re.compile(r"LoRA (\d+) GB$")  # of a GPU, in the name of a preset that ships with the site


def draft_of(user: User) -> Draft:
    """The user's draft of a new run; a new one starts from the preset that suits the user and the machine."""
    known = Draft.objects.filter(user=user, preset=None).first()
    if known is not None:
        return known
    draft = drafts.get_draft(user)
    preset = _used_last(user) or _fitting(devices()[0])
    return _start_from(draft, preset) if preset and draft.revision == 0 else draft


def _start_from(draft: Draft, preset: Preset) -> Draft:
    config = preset.config | (_on_cpu() if not devices()[0].is_gpu and not preset.config.get("train_device") else {})
    title = f"preset {preset.name}"
    return drafts.load(draft, draft.revision, f"preset:{preset.pk}", title, config, version=preset.version)


def _used_last(user: User) -> Preset | None:
    run = Run.objects.filter(owner=user, preset__archived=False).order_by("-created_at").first()
    return run.preset if run else None


def _fitting(device: Device) -> Preset | None:
    """The LoRA preset for the most GPU memory that the device has; on a CPU, the preset for the least."""
    shipped = Preset.objects.listed().filter(source=Preset.Source.SHIPPED)
    sizes = {preset: int(found[1]) for preset in shipped if (found := MEMORY.search(preset.name))}
    fitting = [preset for preset, size in sizes.items() if size <= device.memory] if device.is_gpu else []
    if fitting:
        return max(fitting, key=lambda preset: sizes[preset])
    return min(sizes, key=lambda preset: sizes[preset], default=None)


def _on_cpu() -> JsonObject:
    return {"train_device": "cpu", "train_dtype": train_format(Device("cpu", 0, "CPU"))}
