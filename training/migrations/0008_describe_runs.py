"""What the table of runs searches and draws, of the runs that are there already."""

import math

from django.db import migrations
from django.db.models import Avg, F, Max

from training.models.summary import describe

POINTS = 40


def loss_line(run):
    for tag in ("smooth_loss", "loss"):
        rows = run.metrics.filter(tag=tag, superseded=False)
        last = rows.aggregate(last=Max("step"))["last"]
        if last is not None:
            stretch = F("step") * POINTS / (last + 1)
            means = rows.order_by().values(stretch=stretch).annotate(mean=Avg("value")).order_by("stretch")
            return [float(f"{row['mean']:.5g}") for row in means if row["mean"] is not None and math.isfinite(row["mean"])]
    return []


def describe_runs(apps, schema_editor):
    Run, RunSummary = (apps.get_model("training", name) for name in ("Run", "RunSummary"))
    for run in Run.objects.iterator(chunk_size=100):
        RunSummary.objects.create(run=run, loss_line=loss_line(run), **describe(run))


class Migration(migrations.Migration):
    dependencies = [("training", "0007_run_summaries_and_saved_views")]

    operations = [migrations.RunPython(describe_runs, migrations.RunPython.noop)]
