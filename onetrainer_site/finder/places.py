"""The pages and actions that the finder knows, with other words that people use for them."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from django.contrib.auth.models import User
from django.urls import reverse
from django.utils.translation import gettext_lazy as _
from django.utils.translation import pgettext_lazy

from web.permissions import may_train


def everybody(user: User) -> bool:
    """True: all signed-in users see the place."""
    return True


def admins_alone(user: User) -> bool:
    """True for admins."""
    return user.is_staff


@dataclass(frozen=True)
class Place:
    """A page or an action; `words` are other words that find it."""

    title: Any
    route: str
    icon: str
    words: Any = ""
    seen_by: Callable[[User], bool] = everybody

    @property
    def address(self) -> str:
        return reverse(self.route)

    def matches(self, words: list[str]) -> bool:
        """True if each word is in the title or in the other words."""
        text = f"{self.title} {self.words}".casefold()
        return all(word in text for word in words)


PAGES = (
    Place(_("Dashboard"), "dashboard", "layout-dashboard", _("home start overview")),
    Place(_("Runs"), "runs", "list-details", _("history trainings table")),
    Place(_("Queue"), "queue", "stack-2", _("waiting order next schedule")),
    Place(_("Presets"), "presets", "adjustments", _("settings templates configs")),
    Place(_("Base models"), "base-models", "box", _("download fetch hub Civitai checkpoint weights")),
    Place(_("Samples"), "samples", "photo", _("pictures gallery images")),
    Place(_("Compare runs"), "compare", "git-compare", _("difference side by side overlay")),
    Place(_("System"), "system", "server-2", _("machine GPU memory disk workers CPU")),
    Place(_("Clean-up"), "cleanup", "trash", _("free disk space delete retention"), may_train),
    Place(_("Doctor"), "doctor", "stethoscope", _("health problems report check"), admins_alone),
    Place(_("Account"), "account", "user-circle", _("password token secrets profile")),
    Place(_("API documentation"), "api:docs", "api", _("REST OpenAPI reference")),
    Place(_("Administration"), "admin:index", "tool", _("admin users groups database"), admins_alone),
)
ACTIONS = (
    Place(_("Train from pictures"), "wizard", "wand", _("guided setup wizard new run LoRA start"), may_train),
    Place(_("New run"), "new-run", "plus", _("start train editor config"), may_train),
    Place(_("New preset"), "preset-new", "plus", _("create"), may_train),
    Place(_("Import a training"), "import-workspace", "download", _("workspace OneTrainer follow"), may_train),
    Place(pgettext_lazy("finder", "Free disk space"), "cleanup", "trash", _("clean-up delete backups"), may_train),
    Place(_("Make an API token"), "account", "key", _("secret script"), everybody),
)
