"""The app of runs."""

from django.apps import AppConfig

from web.paths import earlier_models


class TrainingConfig(AppConfig):
    name = "training"

    def ready(self) -> None:
        """Models are loaded only now."""
        from training import audited
        from training.runs.earlier_models import is_earlier_model

        audited.connect()
        earlier_models.register(is_earlier_model)
