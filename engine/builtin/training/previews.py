"""Previews of a sample during generation: a small picture, written again about once a second."""

from __future__ import annotations

import logging
import math
import time
from collections.abc import Callable
from pathlib import Path

from PIL.Image import Image

from engine.interface.files import PREVIEW, written_beside

logger = logging.getLogger("engine")
SECONDS = 0.5  # between two previews
SHARE = 10  # and at least this many times longer than one takes, so that it costs a tenth of the time at most


class SamplePreview:
    """The preview of one sample: a file in the run's workspace that holds the newest state only."""

    def __init__(self, workspace: Path) -> None:
        self.path = workspace / PREVIEW
        self._due = 0.0
        self._told = ""

    def offer(self, draw: Callable[[], Image]) -> str:
        """Write the picture from `draw` if its time has come; returns the file's path once there is one."""
        began = time.monotonic()
        if began < self._due:
            return self._told
        try:
            with written_beside(self.path) as beside:
                draw().save(beside, "JPEG", quality=80)
        except Exception:  # whatever a decoder or a disk raises, the sample itself continues
            logger.warning("This sample is generated without previews from now on.", exc_info=True)
            self._due = math.inf
            return self._told
        ended = time.monotonic()
        self._due = ended + max(SECONDS, SHARE * (ended - began))
        self._told = str(self.path)
        return self._told
