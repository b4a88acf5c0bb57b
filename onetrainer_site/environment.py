"""Reading settings from the environment, so that a bad value is one sentence."""

from __future__ import annotations

import functools
from collections.abc import Callable
from pathlib import Path
from typing import Any

import environs
from django.core.exceptions import ImproperlyConfigured


class Environment:
    """`environs`, with its errors as the sentence that a person reads at the start."""

    def __init__(self) -> None:
        self._env = environs.Env()

    def __getattr__(self, kind: str) -> Callable[..., Any]:
        reader = getattr(self._env, kind)

        @functools.wraps(reader)
        def read(name: str, *args: Any, **kwargs: Any) -> Any:
            try:
                return reader(name, *args, **kwargs)
            except environs.EnvError as error:
                raise ImproperlyConfigured(f"{str(error).rstrip('.')}: correct it, or unset {name}.") from error

        return read

    def folder(self, name: str, default: Path | None = None) -> Path | None:
        """An absolute path, with `~` for the home folder; `default` where the variable is unset or empty."""
        value = self.str(name, "")
        return Path(value).expanduser().absolute() if value else default

    def folders(self, name: str, default: list[Path]) -> list[Path]:
        """Absolute paths, separated by `:` as in PATH."""
        value = self.str(name, "")
        return [Path(part).expanduser().absolute() for part in value.split(":") if part] if value else default
