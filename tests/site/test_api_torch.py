"""The web process is small: it never imports torch."""

import subprocess
import sys

from django.conf import settings

SCRIPT = """
import sys
import onetrainer_site.asgi
from django.urls import get_resolver
from django.test import Client

assert get_resolver().url_patterns
Client().get("/api/config/schema", headers={"host": "localhost"})
libraries = {"torch", "diffusers", "transformers", "peft", "accelerate", "tensorboard", "google.protobuf"}
heavy = libraries & set(sys.modules)
sys.exit(f"imported: {heavy}" if heavy else 0)
"""


def test_the_web_process_never_imports_torch():
    done = subprocess.run([sys.executable, "-c", SCRIPT], cwd=settings.BASE_DIR, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
