"""Read settings from the environment, so that a bad value is reported in one sentence."""

from __future__ import annotations

import functools
import ipaddress
import os
import re
from collections.abc import Callable
from pathlib import Path
from typing import Any, overload

import environs
from django.core.exceptions import ImproperlyConfigured

from web.site_address import SiteAddress, parse_site

NAMES: set[str] = set()  # of all settings that were read
LONGEST_SOCKET_PATH = 107  # bytes; the kernel's limit for the address of a Unix socket


class Environment:
    """`environs`, with errors as sentences that are shown at the start."""

    def __init__(self) -> None:
        self._env = environs.Env()

    def __getattr__(self, kind: str) -> Callable[..., Any]:
        reader = getattr(self._env, kind)

        @functools.wraps(reader)
        def read(name: str, *args: object, **kwargs: object) -> Any:
            NAMES.add(name)
            try:
                return reader(name, *args, **kwargs)
            except environs.EnvError as error:
                raise ImproperlyConfigured(f"{str(error).rstrip('.')}: correct it, or unset {name}.") from error

        return read

    def rate(self, name: str, default: str) -> str:
        """A rate limit such as `600/min`; empty for no limit."""
        value: str = self.str(name, default)
        if value and not re.fullmatch(r"[1-9]\d*/(s|sec|m|min|h|hour|d|day)", value):
            raise ImproperlyConfigured(f"{name} is {value!r}: write it as 600/min, or leave it empty for no limit.")
        return value

    def whole(self, name: str, default: int) -> int:
        """A whole number above 0."""
        value: int = self.int(name, default)
        if value < 1:
            raise ImproperlyConfigured(f"{name} is {value}: write a whole number above 0, or unset it.")
        return value

    def delays(self, name: str, default: list[float]) -> list[float]:
        """Seconds, separated by commas, none below 0."""
        value = self.str(name, "")
        try:
            seconds = [float(part) for part in value.split(",")] if value else default
        except ValueError:
            seconds = []
        if not seconds or not all(0 <= delay < 1e6 for delay in seconds):
            raise ImproperlyConfigured(
                f"{name} is {value!r}: write seconds with commas between them, such as 15,60,300."
            )
        return seconds

    def site(self, name: str) -> SiteAddress | None:
        """The address that people open; None if the variable is unset."""
        value: str = self.str(name, "")
        try:
            return parse_site(value) if value else None
        except ValueError as error:
            raise ImproperlyConfigured(f"{name} is {value!r}: {error}") from error

    def networks(self, name: str) -> list[ipaddress.IPv4Network | ipaddress.IPv6Network]:
        """Addresses and networks, separated by commas; none if the variable is unset."""
        value: str = self.str(name, "")
        try:
            return [ipaddress.ip_network(part.strip(), strict=False) for part in value.split(",") if part.strip()]
        except ValueError as error:
            raise ImproperlyConfigured(
                f"{name} is {value!r}: write addresses or networks with commas between them, such as 10.0.0.0/8."
            ) from error

    @overload
    def folder(self, name: str) -> Path | None: ...
    @overload
    def folder(self, name: str, default: Path) -> Path: ...
    def folder(self, name: str, default: Path | None = None) -> Path | None:
        """An absolute path, with `~` for the home folder; `default` if the variable is unset or empty."""
        value = self.str(name, "")
        return Path(value).expanduser().absolute() if value else default

    def folders(self, name: str, default: list[Path]) -> list[Path]:
        """Absolute paths, separated by `:` as in PATH."""
        value = self.str(name, "")
        return [Path(part).expanduser().absolute() for part in value.split(":") if part] if value else default


def masked(url: str) -> str:
    """An address without its user and password, for messages."""
    return re.sub(r"//[^/]*@", "//***@", url)


def socket_path(path: Path) -> Path:
    """A path to the same Unix socket that is short enough for the kernel, valid in this process.

    In a deep folder the path uses an open descriptor of that folder, which stays open as long as the process.
    """
    if len(os.fsencode(path)) <= LONGEST_SOCKET_PATH:
        return path
    return Path(f"/proc/self/fd/{os.open(path.parent, os.O_PATH | os.O_DIRECTORY)}") / path.name
