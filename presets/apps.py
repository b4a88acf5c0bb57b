"""The app of presets."""

from django.apps import AppConfig


class PresetsConfig(AppConfig):
    name = "presets"

    def ready(self) -> None:
        """Models are loaded only now."""
        from presets.models import Preset, PresetVersion
        from system.audit.watching import watch

        watch(Preset, "preset", "name", "description", "archived", "owner_id", wanted=lambda row: not row.is_read_only)
        watch(PresetVersion, "preset_version", "number", "note", wanted=lambda row: not row.preset.is_read_only)
