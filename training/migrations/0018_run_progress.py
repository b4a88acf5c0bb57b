"""How far each run is moves into a row of its own; the next migration drops the columns that it is copied from.

They are two, since PostgreSQL alters no table in the transaction that has written rows with foreign keys.
"""

import django.db.models.deletion
from django.db import migrations, models

COLUMNS = (
    *("journal_offset", "journal_sequence", "epoch", "epoch_step", "epoch_sample", "global_step", "max_step"),
    *("max_epoch", "loss", "smooth_loss", "steps_per_second", "seconds_per_step", "times", "since_step"),
    *("busy_until", "memory_peak"),
)


def copy(apps, schema_editor):
    """One statement, so that ten thousand runs take no more than a moment."""
    quote = schema_editor.quote_name
    run, progress = (apps.get_model("training", name)._meta.db_table for name in ("Run", "RunProgress"))
    columns = ", ".join(map(quote, COLUMNS))
    schema_editor.execute(
        f"INSERT INTO {quote(progress)} ({quote('run_id')}, {columns}) SELECT {quote('id')}, {columns} FROM {quote(run)}"
    )


def copy_back(apps, schema_editor):
    """For a return to the release before; the columns are there again, with their defaults."""
    quote = schema_editor.quote_name
    run, progress = (apps.get_model("training", name)._meta.db_table for name in ("Run", "RunProgress"))
    columns = ", ".join(map(quote, COLUMNS))
    mine = f"FROM {quote(progress)} WHERE {quote(progress)}.{quote('run_id')} = {quote(run)}.{quote('id')}"
    schema_editor.execute(f"UPDATE {quote(run)} SET ({columns}) = (SELECT {columns} {mine})")


class Migration(migrations.Migration):

    dependencies = [
        ('training', '0017_obstacles'),
    ]

    operations = [
        migrations.CreateModel(
            name='RunProgress',
            fields=[
                ('run', models.OneToOneField(on_delete=django.db.models.deletion.CASCADE, primary_key=True, related_name='progress', serialize=False, to='training.run')),
                ('journal_offset', models.PositiveBigIntegerField(default=0, help_text="Bytes of this attempt's journal that are in the database.")),
                ('journal_sequence', models.PositiveBigIntegerField(default=0)),
                ('epoch', models.PositiveIntegerField(default=0)),
                ('epoch_step', models.PositiveIntegerField(default=0)),
                ('epoch_sample', models.PositiveBigIntegerField(default=0)),
                ('global_step', models.PositiveBigIntegerField(default=0)),
                ('max_step', models.PositiveIntegerField(default=0, help_text='Micro-batches per epoch.')),
                ('max_epoch', models.PositiveIntegerField(default=0)),
                ('loss', models.FloatField(null=True)),
                ('smooth_loss', models.FloatField(null=True)),
                ('steps_per_second', models.FloatField(null=True)),
                ('seconds_per_step', models.FloatField(help_text='Of training alone.', null=True)),
                ('times', models.JSONField(blank=True, default=dict, help_text='Seconds of each phase that comes between steps.')),
                ('since_step', models.JSONField(blank=True, default=list, help_text='Those that came since the last step.')),
                ('busy_until', models.DateTimeField(help_text='When the present phase, if it is none of steps, is over.', null=True)),
                ('memory_peak', models.PositiveBigIntegerField(help_text='Bytes on the training device, as measured.', null=True)),
            ],
            options={
                'verbose_name_plural': 'run progress',
            },
        ),
        migrations.RunPython(copy, copy_back),
    ]
