"""The places on a machine that every engine process needs: system, Python, libraries and devices."""

from __future__ import annotations

import os
import sys
from collections.abc import Iterable, Iterator
from glob import glob
from pathlib import Path

from engine.guest.landlock import READ, RUN, WRITE

ROOT = str(Path(__file__).resolve().parents[2])
PROGRAMS = (
    *("/usr", "/bin", "/sbin", "/lib", "/lib32", "/lib64", "/libx32", "/nix/store", "/gnu/store"),
    *("/opt/rocm*", "/opt/nvidia", "/opt/intel", "/opt/amdgpu", "/run/opengl-driver"),
)
# Of /etc only these: it also holds the keys and password hashes of the machine.
OF_ETC = (
    *("ld.so.cache", "ld.so.conf", "ld.so.conf.d", "ld.so.preload", "alternatives", "python3*", "mime.types"),
    *("resolv.conf", "hosts", "host.conf", "hostname", "nsswitch.conf", "gai.conf", "services", "protocols"),
    *("ssl/certs", "ssl/cert.pem", "ssl/openssl.cnf", "pki", "ca-certificates*", "crypto-policies"),
    *("passwd", "group", "localtime", "timezone", "locale*", "os-release", "lsb-release", "debian_version"),
    *("OpenCL", "vulkan", "nvidia*", "fonts", "machine-id"),
)
SYSTEM = ("/proc", "/sys", "/run/systemd/resolve", "/run/NetworkManager", "/run/nscd", "/dev/fd", "/dev/tty")
DEVICES = (
    *("/dev/null", "/dev/zero", "/dev/full", "/dev/random", "/dev/urandom", "/dev/shm"),  # nosec B108
    *("/dev/nvidia*", "/dev/dri", "/dev/kfd", "/dev/dxg", "/dev/infiniband", "/dev/accel*"),
)
LIBRARY_PATHS = ("LD_LIBRARY_PATH", "LD_PRELOAD", "PYTHONPATH")


def of_every_engine() -> Iterator[tuple[str, int]]:
    """(path, rights) of each place that exists on this machine, for this process's Python."""
    yield from ((path, RUN) for path in _found(PROGRAMS))
    yield from ((path, READ) for path in _found([*SYSTEM, *(f"/etc/{name}" for name in OF_ETC)]))
    yield from ((path, WRITE) for path in _found(DEVICES))
    yield from ((path, RUN) for path in of_this_python())


def of_this_python() -> Iterator[str]:
    """The folders from which this Python imports, without the site's own project, whose data folder may be in it."""
    own = {sys.prefix, sys.base_prefix, sys.exec_prefix, sys.base_exec_prefix, os.path.realpath(sys.executable)}
    named = [path for name in LIBRARY_PATHS for path in os.environ.get(name, "").split(os.pathsep)]
    for path in dict.fromkeys([*sorted(own), *sys.path, *named]):
        if path and os.path.realpath(path) not in (ROOT, "/") and Path(path).exists():
            yield path
    yield f"{ROOT}/engine"


def without(path: str, private: Iterable[str], hidden: Iterable[str] = ()) -> Iterator[str]:
    """The path, or, if private or hidden files are somewhere below it, all below it that is not on the way to them.

    A hidden file that is named itself is open; a private file never is.
    """
    real, closed, unseen = os.path.realpath(path), [*map(os.path.realpath, private)], [*map(os.path.realpath, hidden)]
    if real in closed:
        return
    if not any(one.startswith(real.rstrip("/") + "/") for one in (*closed, *unseen)):
        yield real
        return
    with os.scandir(real) as entries:
        below = sorted(entry.path for entry in entries if not entry.is_symlink())
    for one in below:
        if one not in unseen:
            yield from without(one, closed, unseen)


def _found(patterns: Iterable[str]) -> Iterator[str]:
    for pattern in patterns:
        yield from glob(pattern)  # noqa: PTH207  the patterns are absolute
