"""The page's rows: the catalogue by family, with the models on the disk, and deleting a model."""

from __future__ import annotations

from dataclasses import dataclass, field

from django.utils.translation import gettext as _

from engine.base_models import CatalogueModel, catalogue
from engine.engines import ENGINES
from presets.base_models.on_disk import FoundModel, delete_files, found_models
from presets.models import ModelFetch
from system.audit import Thing, record
from training.base_models.memory import MemoryFit, memory_fit
from training.base_models.uses import runs_that_need
from training.wizard.base_models import engines_for
from training.wizard.machine_facts import devices
from web.errors import NotFound, NotNow


@dataclass(frozen=True)
class CatalogueRow:
    """A model of the catalogue: the engines that train it here, its memory, its files on the disk, its fetch."""

    model: CatalogueModel
    engines: list[str]
    memory: MemoryFit
    here: FoundModel | None
    fetch: ModelFetch | None


@dataclass
class FamilyShelf:
    title: str
    rows: list[CatalogueRow] = field(default_factory=list)
    others: list[FoundModel] = field(default_factory=list)

    @property
    def is_used_here(self) -> bool:
        """True if an engine of this site trains it, or files of it are here or on their way."""
        return bool(self.others) or any(row.engines or row.here or row.fetch for row in self.rows)


def shelves(fetches: list[ModelFetch]) -> list[FamilyShelf]:
    """Each family with its known models and all others of it that are on this machine; unknown ones come last."""
    here = {model.name: model for model in found_models()}
    running = {fetch.source: fetch for fetch in reversed(fetches) if fetch.is_open}
    kinds = devices()
    by_family: dict[str, FamilyShelf] = {}
    for model in catalogue():
        shelf = by_family.setdefault(model.family, FamilyShelf(model.family))
        engines = [ENGINES[name].title for name in engines_for(model.model_type)]
        found = here.pop(model.hub, None)
        shelf.rows.append(CatalogueRow(model, engines, memory_fit(model, kinds), found, running.get(model.hub)))
    for found in here.values():
        title = found.family or _("Other models on this machine")
        by_family.setdefault(title, FamilyShelf(title)).others.append(found)
    return sorted(by_family.values(), key=lambda shelf: not shelf.is_used_here)


def found_model(name: str) -> FoundModel:
    """Raises NotFound."""
    model = next((model for model in found_models() if model.name == name), None)
    if model is None:
        raise NotFound(_("There is no model %(name)s on this machine: reload the page.") % {"name": name[:200]})
    return model


def delete_model(name: str) -> FoundModel:
    """Delete a model's files, unless a run needs them or a fetch writes them. Raises DomainError."""
    model = found_model(name)
    if runs := runs_that_need(model):
        sentence = _("%(model)s is needed by the run “%(run)s”, which is queued or active: end it first.")
        raise NotNow(sentence % {"model": model.title, "run": runs[0].name})
    if any(model.name in (fetch.source, fetch.model) for fetch in ModelFetch.objects.open()):
        raise NotNow(_("%(model)s is being fetched: cancel that first.") % {"model": model.title})
    delete_files(model)
    record(
        "model.deleted",
        thing=Thing("base model", "", model.title),
        before={"path": str(model.path), "bytes": model.size},
    )
    return model
