"""The environment of a site, which faults change: its clock and its disk."""

from __future__ import annotations

import shutil
import struct
import subprocess
from contextlib import suppress
from pathlib import Path

CLOCK = Path(__file__).with_name("clock.c")
DISK_BYTES = 500_000_000
PIECE = 1 << 20


class Clock:
    """A separate wall clock for the processes that get `environment`."""

    def __init__(self, folder: Path):
        self._offset = folder / "clock-offset"
        self.turn(0)
        self.environment: dict[str, str] = {}
        if compiler := shutil.which("cc"):
            library = folder / "clock.so"
            subprocess.run([compiler, "-shared", "-fPIC", "-O1", "-o", library, CLOCK, "-ldl"], check=True)
            self.environment = {"LD_PRELOAD": str(library), "CLOCK_OFFSET": str(self._offset)}

    @property
    def can_be_turned(self) -> bool:
        return bool(self.environment)

    def turn(self, seconds: int) -> None:
        """Set its offset in place, because the processes have the file mapped."""
        with self._offset.open("r+b" if self._offset.exists() else "w+b") as file:
            file.write(struct.pack("l", seconds))


class Disk:
    """A small file system at `folder`, if this user may mount it; otherwise `folder` is not changed."""

    def __init__(self, folder: Path):
        self._folder = folder
        self._ballast = folder / "ballast"
        folder.mkdir(mode=0o700)
        mount = ["mount", "-t", "tmpfs", "-o", f"size={DISK_BYTES},mode=700", "tmpfs", folder]
        self.can_be_filled = subprocess.run(mount, capture_output=True).returncode == 0

    def fill(self) -> None:
        """Fill the disk to the last byte, even while other processes write."""
        with self._ballast.open("wb", buffering=0) as file, suppress(OSError):
            while True:
                file.write(bytes(PIECE))

    def empty(self) -> None:
        self._ballast.unlink(missing_ok=True)

    def close(self) -> None:
        if self.can_be_filled:
            subprocess.run(["umount", "--lazy", self._folder], check=True)
