"""The folders that admins have opened."""

from __future__ import annotations

from django.conf import settings
from django.db import models
from django.utils.timezone import now
from django.utils.translation import gettext_lazy as _


class AllowedFolder(models.Model):
    """A folder that configs may use, beside those of ALLOWED_ROOTS."""

    path = models.CharField(_("path"), max_length=1000, unique=True, help_text=_("The real path, without links."))
    added_by = models.ForeignKey(
        settings.AUTH_USER_MODEL, null=True, blank=True, on_delete=models.SET_NULL, related_name="+"
    )
    added_at = models.DateTimeField(_("added at"), default=now)

    class Meta:
        ordering = ["path"]
        verbose_name = _("allowed folder")
        verbose_name_plural = _("allowed folders")

    def __str__(self) -> str:
        return self.path
