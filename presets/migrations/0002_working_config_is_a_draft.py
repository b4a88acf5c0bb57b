from django.db import migrations


class Migration(migrations.Migration):
    dependencies = [("presets", "0001_initial")]
    operations = [migrations.RenameModel("WorkingConfig", "Draft")]
