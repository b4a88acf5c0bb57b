"""How many of a run's files are kept: the newest, every Nth older file, and all pinned files."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, TypeVar

from django.core.validators import MinValueValidator
from django.db import models
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy, ngettext

SITE = "site"
KINDS = ("backups", "saves", "samples", "custom_samples")
ItemT = TypeVar("ItemT")


@dataclass(frozen=True)
class Rule:
    """Keep the newest `keep` items, or all if None, and every `every`th of the others, or none of them if None."""

    keep: int | None = None
    every: int | None = None

    @property
    def may_go_beyond(self) -> int | None:
        """The engine's limit: it can count the newest but does not know the history; None if it must not delete."""
        return None if self.every else self.keep

    def split(self, items: Sequence[ItemT], is_there: Callable[[ItemT], bool]) -> list[tuple[ItemT, str]]:
        """The existing ones of all items, oldest first, each with the reason to keep it; empty if it may be deleted."""
        there = [(number, item) for number, item in enumerate(items, start=1) if is_there(item)]
        newest = len(there) - (len(there) if self.keep is None else self.keep)
        return [(item, self._why_kept(number, place >= newest)) for place, (number, item) in enumerate(there)]

    def _why_kept(self, number: int, is_newest: bool) -> str:
        if self.keep is None:
            return _("The policy keeps all of them.")
        if is_newest:
            return ngettext("It is the newest.", "It is one of the newest %(keep)s.", self.keep) % {"keep": self.keep}
        if self.every and number % self.every == 0:
            return _("The policy keeps every %(every)s. one.") % {"every": self.every}
        return ""


def number(label: Any) -> models.PositiveIntegerField:
    """A count of at least one, or empty."""
    return models.PositiveIntegerField(label, null=True, blank=True, validators=[MinValueValidator(1)])


class RetentionPolicy(models.Model):
    """The site's policy, for every run without its own, or the policy of one run."""

    scope = models.CharField(primary_key=True, max_length=36, default=SITE, editable=False)
    run = models.OneToOneField("training.Run", null=True, on_delete=models.CASCADE, related_name="retention")
    keep_backups = number(gettext_lazy("newest backups"))
    every_backups = number(gettext_lazy("and every Nth older backup"))
    keep_saves = number(gettext_lazy("newest saves"))
    every_saves = number(gettext_lazy("and every Nth older save"))
    keep_samples = number(gettext_lazy("newest steps with samples"))
    every_samples = number(gettext_lazy("and every Nth older step with samples"))

    keep_custom_samples = number(gettext_lazy("newest custom samples"))

    class Meta:
        verbose_name_plural = "retention policies"

    def __str__(self) -> str:
        return f"retention of run {self.scope}" if self.run_id else "retention of all runs"

    @classmethod
    def of_site(cls) -> RetentionPolicy:
        return cls.objects.filter(scope=SITE).first() or cls(scope=SITE)

    @classmethod
    def of(cls, run: Any) -> RetentionPolicy:
        """The run's own policy, or the site's."""
        return cls.objects.filter(scope=str(run.pk)).first() or cls.of_site()

    @classmethod
    def own(cls, run: Any) -> RetentionPolicy:
        """The run's own policy, to be changed and saved; it starts as a copy of the site's."""
        found = cls.of(run)
        found.scope, found.run = str(run.pk), run
        return found

    def rule(self, kind: str) -> Rule:
        """The rule for one of `KINDS`; custom samples have no `every`."""
        return Rule(getattr(self, f"keep_{kind}"), getattr(self, f"every_{kind}", None))

    def to_dict(self) -> dict[str, dict[str, int | None]]:
        rules = {kind: vars(self.rule(kind)) for kind in KINDS}
        return rules | {"custom_samples": {"keep": self.keep_custom_samples}}
