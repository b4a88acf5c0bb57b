"""How much of what a run writes is kept: the newest ones, every so manieth one, and whatever is pinned."""

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
    """Keep the newest `keep`, and of the others every `every`th, as they were made; None is all, or none of them."""

    keep: int | None = None
    every: int | None = None

    @property
    def may_go_beyond(self) -> int | None:
        """How many may stay of a kind that only the newest are kept of, for who does not know how many there were."""
        return None if self.every else self.keep

    def split(self, items: Sequence[ItemT], is_there: Callable[[ItemT], bool]) -> list[tuple[ItemT, str]]:
        """Of all that ever were, oldest first, those that are there, with why one is kept; empty where it may go."""
        there = [(number, item) for number, item in enumerate(items, start=1) if is_there(item)]
        newest = len(there) - (len(there) if self.keep is None else self.keep)
        return [(item, self._why_kept(number, place >= newest)) for place, (number, item) in enumerate(there)]

    def _why_kept(self, number: int, is_newest: bool) -> str:
        if self.keep is None:
            return _("All of them are kept.")
        if is_newest:
            return ngettext("It is the newest.", "It is one of the newest %(keep)s.", self.keep) % {"keep": self.keep}
        if self.every and number % self.every == 0:
            return _("Every %(every)s. one is kept.") % {"every": self.every}
        return ""


def number(label: Any) -> models.PositiveIntegerField:
    """A count of at least one, or nothing."""
    return models.PositiveIntegerField(label, null=True, blank=True, validators=[MinValueValidator(1)])


class RetentionPolicy(models.Model):
    """The site's policy, which every run follows that has none of its own."""

    scope = models.CharField(primary_key=True, max_length=36, default=SITE, editable=False)
    run = models.OneToOneField("training.Run", null=True, on_delete=models.CASCADE, related_name="retention")
    keep_backups = number(gettext_lazy("newest backups"))
    every_backups = number(gettext_lazy("and every so manieth backup"))
    keep_saves = number(gettext_lazy("newest saves"))
    every_saves = number(gettext_lazy("and every so manieth save"))
    keep_samples = number(gettext_lazy("steps with samples, newest"))
    every_samples = number(gettext_lazy("and every so manieth step with samples"))

    keep_custom_samples = number(gettext_lazy("samples that were asked for by hand, newest"))

    class Meta:
        verbose_name_plural = "retention policies"

    def __str__(self) -> str:
        return f"retention of run {self.scope}" if self.run_id else "retention of all runs"

    @classmethod
    def of_site(cls) -> RetentionPolicy:
        return cls.objects.filter(scope=SITE).first() or cls(scope=SITE)

    @classmethod
    def of(cls, run: Any) -> RetentionPolicy:
        """The run's own, or the site's."""
        return cls.objects.filter(scope=str(run.pk)).first() or cls.of_site()

    @classmethod
    def own(cls, run: Any) -> RetentionPolicy:
        """The run's own, to be saved with changes; it begins as the site's."""
        found = cls.of(run)
        found.scope, found.run = str(run.pk), run
        return found

    def rule(self, kind: str) -> Rule:
        """For one of `KINDS`; of what was asked for by hand there is no every so manieth."""
        return Rule(getattr(self, f"keep_{kind}"), getattr(self, f"every_{kind}", None))

    def to_dict(self) -> dict[str, dict[str, int | None]]:
        rules = {kind: vars(self.rule(kind)) for kind in KINDS}
        return rules | {"custom_samples": {"keep": self.keep_custom_samples}}
