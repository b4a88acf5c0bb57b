from django.db import migrations

COLUMNS = (
    *("journal_offset", "journal_sequence", "epoch", "epoch_step", "epoch_sample", "global_step", "max_step"),
    *("max_epoch", "loss", "smooth_loss", "steps_per_second", "seconds_per_step", "times", "since_step"),
    *("busy_until", "memory_peak"),
)


class Migration(migrations.Migration):

    dependencies = [
        ('training', '0018_run_progress'),
    ]

    operations = [migrations.RemoveField(model_name='run', name=name) for name in COLUMNS]
