"""The history of runs: their configs, states, metrics and files."""

from training.models.artifact import Artifact as Artifact
from training.models.command import RunCommand as RunCommand
from training.models.event import RunEvent as RunEvent
from training.models.metric import Metric as Metric
from training.models.metric import MetricSummary as MetricSummary
from training.models.progress import RunProgress as RunProgress
from training.models.retention import RetentionPolicy as RetentionPolicy
from training.models.run import Run as Run
from training.models.run import RunQuerySet as RunQuerySet
from training.models.summary import RunSummary as RunSummary
from training.models.summary import SavedView as SavedView
