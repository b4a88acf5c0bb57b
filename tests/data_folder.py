"""A data folder for the tests alone. pytest loads this (`-p` in pyproject.toml) before anything reads the settings."""

import atexit
import os
import shutil
import tempfile

os.environ["DATA_DIR"] = tempfile.mkdtemp(prefix="onetrainer-tests-")
atexit.register(shutil.rmtree, os.environ["DATA_DIR"], ignore_errors=True)
