"""Configs made whole by their engine when a run is created, and compact again where they are compared or changed."""

from __future__ import annotations

from engine.engines import Unavailable, UnknownEngine, get_engine
from engine.interface.json_types import JsonObject
from presets.config.configs import asking_an_engine, freeze


def of_new_run(engine: str, partial: JsonObject) -> JsonObject:
    """The frozen config of a new run, with all that its engine would otherwise fill in or make at random at each start.

    So it is trained alike by each attempt, also after an update of the engine. Raises as `asking_an_engine` does.
    """
    with asking_an_engine():
        return get_engine(engine).complete(freeze(engine, partial))


def compact(engine: str, config: JsonObject) -> JsonObject:
    """The config of a run as a person would have written it, to compare it or to make another run of it.

    An optimizer's own values would otherwise stay when another optimizer is chosen. If the engine cannot be asked now,
    the config is returned as it is.
    """
    try:
        return get_engine(engine).compact(config)
    except (UnknownEngine, Unavailable):
        return config
