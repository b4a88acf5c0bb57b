"""A stop while pictures are read or cached: OneTrainer itself looks for one only after a step.

Without this a stop would wait until all pictures are encoded, and one step later a model of one step would be written.
An unfinished cache is begun again by the next attempt; finished caches stay.
"""

from importlib import util


class Stopped(Exception):
    """A stop was requested; the position is that of the last step."""


def stop_between_pictures(stop_requested):
    """Have OneTrainer's data pipeline (mgds) raise Stopped before the next picture once `stop_requested()` is true."""
    if util.find_spec("mgds") is None:  # it also lacks whatever would have to be interrupted
        return
    from mgds.LoadingPipeline import LoadingPipeline
    from mgds.pipelineModules.DiskCache import DiskCache

    DiskCache._get_previous_item = interruptible(DiskCache._get_previous_item, stop_requested)
    LoadingPipeline.__next__ = interruptible(LoadingPipeline.__next__, stop_requested)


def interruptible(function, stop_requested):
    def call(*args, **kwargs):
        if stop_requested():
            raise Stopped
        return function(*args, **kwargs)

    return call
