"""The app of the machine and its accounts."""

from django.apps import AppConfig
from django.db.models.signals import post_migrate


class SystemConfig(AppConfig):
    name = "system"

    def ready(self) -> None:
        """Models are loaded only now."""
        from system.account import audited
        from system.audit import triggers
        from system.audit.watching import watch
        from system.models import Job
        from web.models import AllowedFolder

        audited.connect()
        watch(Job, "job", "kind", "arguments", wanted=lambda job: job.user and job.is_an_act)
        watch(AllowedFolder, "allowed_folder", "path")
        post_migrate.connect(triggers.install, sender=self, dispatch_uid="audit triggers")
