"""Tokens for hubs and clouds."""

from __future__ import annotations

from django.conf import settings
from django.db import models


class Secret(models.Model):
    """A user's token for a hub or a cloud, encrypted; `system.account.secrets` writes and reads it."""

    user = models.ForeignKey(settings.AUTH_USER_MODEL, on_delete=models.CASCADE, related_name="secrets")
    name = models.CharField(max_length=60, help_text="As in OneTrainer's secrets, such as huggingface_token.")
    ciphertext = models.BinaryField()
    updated_at = models.DateTimeField(auto_now=True)

    class Meta:
        app_label = "presets"  # that app created the table, and data folders have it under its name
        constraints = [models.UniqueConstraint(fields=["user", "name"], name="one_secret_per_user_and_name")]

    def __str__(self) -> str:
        return f"{self.name} of {self.user}"
