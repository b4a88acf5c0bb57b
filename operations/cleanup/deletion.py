"""Deleting the items of a confirmed preview, except those that changed since."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

from django.conf import settings
from django.contrib.auth.models import User
from django.utils.translation import gettext as _
from django.utils.translation import gettext_noop

from engine.interface.files import remove
from engine.interface.json_types import JsonObject
from operations.cleanup.cleanup_plan import allowed_runs, why_thing_stays
from operations.cleanup.inventory import Thing, files_of, measure
from samples.models import Sample
from samples.retention import remove_samples
from training.models import Artifact, Run
from training.runs.removal import lies_within, put_aside, remove_artifact
from web.errors import NotNow

CHANGED = gettext_noop("It has changed since the preview.")


class Deletion:
    """One clean-up in progress."""

    def __init__(self, user: User | None) -> None:
        self.user = user
        self.removed = 0
        self.bytes = 0
        self.left: list[dict[str, str]] = []

    def remove(self, items: list[JsonObject], beat: Callable[[], None]) -> None:
        for item in items:
            beat()
            try:
                self._remove(item)
            except (NotNow, OSError) as error:
                self.left.append({"label": item["label"], "run": item["run_name"], "why": str(error)})
            else:
                self.removed += 1
                self.bytes += item["bytes"]

    def _remove(self, item: JsonObject) -> None:
        if item["run"] and not allowed_runs(self.user).filter(pk=item["run"]).exists():
            raise NotNow(_("Its run is deleted, or is not yours any more."))
        if item["thing"]:
            self._remove_thing(Thing(**item["thing"]))
        elif item["kind"] == "samples":
            self._remove_samples(item)
        else:
            self._remove_artifact(item)

    def _remove_artifact(self, item: JsonObject) -> None:
        artifact = Artifact.objects.filter(pk=item["ids"][0]).select_related("run").first()
        if artifact is None or artifact.size != item["bytes"]:
            raise NotNow(_(CHANGED))
        remove_artifact(artifact, _("Deleted by a clean-up."), self.user)

    def _remove_samples(self, item: JsonObject) -> None:
        run = Run.objects.get(pk=item["run"])
        gone = remove_samples(run, Sample.objects.filter(pk__in=item["ids"]), _("Deleted by a clean-up."), self.user)
        if gone < len(item["ids"]):
            left = len(item["ids"]) - gone
            raise NotNow(_("%(left)s of them became favourites or are deleted already.") % {"left": left})

    def _remove_thing(self, thing: Thing) -> None:
        present = measure(thing)
        if (present.bytes, present.count) != (thing.bytes, thing.count):
            raise NotNow(_(CHANGED))
        run = Run.objects.filter(pk=thing.run).first() if thing.run else None
        if reason := why_thing_stays(thing, run):
            raise NotNow(reason)
        if thing.kind == "orphans" and Run.objects.filter(pk=thing.label).exists():
            raise NotNow(_("Its run exists again."))
        for place in thing.paths:
            remove_within(thing, settings.DATA_DIR / place)


def remove_within(thing: Thing, path: Path) -> None:
    """Delete a whole folder if it holds nothing else, otherwise only the item's files; never through a link."""
    if not lies_within(path, settings.DATA_DIR):
        raise NotNow(_("A link leads out of the data folder, where nothing is deleted."))
    if thing.kind == "logs" or thing.label == "encoded":
        for file, *facts in list(files_of(thing, path)):
            del facts
            file.unlink(missing_ok=True)
    elif aside := put_aside(path):
        remove(aside)
