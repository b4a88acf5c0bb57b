"""The app of runs."""

from django.apps import AppConfig


class TrainingConfig(AppConfig):
    name = "training"

    def ready(self) -> None:
        """Models are loaded only now."""
        from training import audited

        audited.connect()
