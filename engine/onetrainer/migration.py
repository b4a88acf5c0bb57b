"""Older configs, migrated to the present version by OneTrainer's own code if it is installed. No torch here."""

from __future__ import annotations

import json
import logging
import os
import subprocess
from pathlib import Path

from engine.guest.environment import of_engine
from engine.interface.json_types import JsonObject
from engine.onetrainer.migrate_child import MARK

logger = logging.getLogger(__name__)
SCRIPT = Path(__file__).with_name("migrate_child.py")
SECONDS = 60


def migrated_by_onetrainer(config: JsonObject) -> JsonObject | None:
    """The config in the form of the installed version; None if OneTrainer is not configured, or cannot migrate it."""
    home, python = os.environ.get("ONETRAINER_HOME"), os.environ.get("ONETRAINER_PYTHON")
    if not home or not python:
        return None
    command = [python, str(SCRIPT), home]
    try:
        done = subprocess.run(
            command,
            cwd=home,
            env=of_engine(),
            input=json.dumps(config),
            capture_output=True,
            text=True,
            timeout=SECONDS,
        )
    except (OSError, subprocess.TimeoutExpired) as error:
        logger.warning("OneTrainer could not be run to migrate a config; the site's own migrations are used: %s", error)
        return None
    said = [line for line in done.stdout.splitlines() if line.startswith(MARK)]
    if done.returncode or not said:
        last = (done.stderr.strip().splitlines() or ["it said nothing"])[-1][:300]
        logger.warning("OneTrainer could not migrate a config, so the site's own migrations are used: %s", last)
        return None
    found = json.loads(said[-1].removeprefix(MARK))
    return found if isinstance(found, dict) else None
