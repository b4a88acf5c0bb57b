"""Which version of a data set a run trained on, noted when each attempt starts."""

from __future__ import annotations

import logging
from collections.abc import Iterator
from pathlib import Path
from uuid import UUID

from engine.interface.config_keys import keys_of
from engine.interface.json_types import JsonObject
from presets.datasets.rescan import look
from presets.models import DataSet, DataSetUse
from web.errors import NotFound

logger = logging.getLogger(__name__)


def note_uses(run: UUID, attempt: int, config: JsonObject) -> None:
    """Note the versions of the data sets that the config's enabled concepts name; changes by a shell are taken in."""
    for data_set in data_sets_in(config):
        try:
            look(data_set)
        except (NotFound, OSError) as error:  # the training itself reports a folder that cannot be read
            logger.warning("%s", error)
        data_set.refresh_from_db(fields=["version"])
        facts = {"version": data_set.version}
        DataSetUse.objects.update_or_create(run=run, attempt=attempt, data_set=data_set, defaults=facts)


def data_sets_in(config: JsonObject) -> list[DataSet]:
    """The present data sets whose folder a concept names, also by a link of an earlier name."""
    folders = set(_folders(config))
    return [one for one in DataSet.objects.present() if one.folder.resolve() in folders] if folders else []


def _folders(config: JsonObject) -> Iterator[Path]:
    concepts = keys_of(config).get("concepts")
    for concept in concepts if isinstance(concepts, list) else ():
        path = concept.get("path") if isinstance(concept, dict) and concept.get("enabled", True) else None
        if isinstance(path, str) and path.startswith("/") and "\x00" not in path:
            yield Path(path).resolve()
