"""The app of the machine and its accounts."""

from django.apps import AppConfig
from django.db.models.signals import post_migrate


class SystemConfig(AppConfig):
    name = "system"

    def ready(self) -> None:
        """Models are loaded only now."""
        from system.audit import triggers

        post_migrate.connect(triggers.install, sender=self, dispatch_uid="audit triggers")
