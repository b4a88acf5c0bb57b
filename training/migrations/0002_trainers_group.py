"""The group whose members may start and stop runs; everybody else who is signed in may look."""

from django.db import migrations

NAME = "trainers"


def make_group(apps, schema_editor):
    apps.get_model("auth", "Group").objects.get_or_create(name=NAME)


class Migration(migrations.Migration):
    dependencies = [("training", "0001_initial"), ("auth", "0012_alter_user_first_name_max_length")]
    operations = [migrations.RunPython(make_group, migrations.RunPython.noop)]
