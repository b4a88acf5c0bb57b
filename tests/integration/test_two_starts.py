"""Two simultaneous starts without a queue, in a database file."""

from __future__ import annotations

import os
import subprocess
import sys

from django.conf import settings

TWO_STARTS = """
import threading
import django
from django.conf import settings
from django.core.management import call_command
from django.db import connection

django.setup()
settings.CHANNEL_LAYERS = {"default": {"BACKEND": "channels.layers.InMemoryChannelLayer"}}
call_command("migrate", verbosity=0)

from web.errors import NotNow
from tests.making import trainable_config
from training.runs import service
from training.models import Run

both_checked = threading.Barrier(2)
config, check = trainable_config(), service.whole_check

def check_and_wait(*args):
    found = check(*args)
    both_checked.wait(120)
    return found

def start():
    try:
        service.TrainerService().start_training(config)
    except NotNow as error:
        print(error)
    finally:
        connection.close()

service.whole_check = check_and_wait
threads = [threading.Thread(target=start) for _ in range(2)]
for thread in threads:
    thread.start()
for thread in threads:
    thread.join()
print(Run.objects.count(), "run")
"""


def test_one_of_two_simultaneous_starts_is_refused(tmp_path):
    environment = {
        **{name: value for name, value in os.environ.items() if name != "DATABASE_URL"},
        "DATA_DIR": str(tmp_path),
        "ALLOWED_ROOTS": str(tmp_path),
        "QUEUE": "false",
        "PREFLIGHT_SECONDS": "0",
        "DJANGO_SETTINGS_MODULE": "onetrainer_site.settings",
    }
    command = [sys.executable, "-c", TWO_STARTS]
    done = subprocess.run(
        command, cwd=settings.BASE_DIR, env=environment, capture_output=True, text=True, check=False, timeout=500
    )
    refused, count = done.stdout.splitlines() or [done.stderr, ""]
    assert "the queue is off" in refused and count == "1 run", done.stderr
