"""Fields with types, set from a dict; what does not fit is only printed."""

from enum import Enum
from typing import get_args


class BaseConfig:
    def __init__(self, fields):
        self.config_version = 1
        self.types, self.nullables, self.default_values = {}, {}, {}
        for name, value, kind, nullable in fields:
            setattr(self, name, value)
            self.types[name], self.nullables[name], self.default_values[name] = kind, nullable, value

    def from_dict(self, data, migrate=True):
        if migrate and "__version" not in data:
            raise KeyError("__version")
        for name in self.types:
            if name in data:
                try:
                    setattr(self, name, self._converted(name, data[name], migrate))
                except Exception:
                    print(f"Could not set {name} as {data[name]}")  # noqa: T201
        return self

    def _converted(self, name, value, migrate):
        kind = self.types[name]
        if value is None and self.nullables[name]:
            return None
        if get_args(kind):
            return [get_args(kind)[0].default_values().from_dict(item, migrate=False) for item in value]
        if issubclass(kind, BaseConfig):
            return getattr(self, name).from_dict(value, migrate=False)
        if issubclass(kind, Enum):
            return kind[value]
        return value if kind is bool else kind(value)

    def to_dict(self):
        return {"__version": self.config_version, **{name: plain(getattr(self, name)) for name in self.types}}


def plain(value):
    if isinstance(value, list):
        return [plain(item) for item in value]
    if isinstance(value, BaseConfig):
        return value.to_dict()
    return value.value if isinstance(value, Enum) else value
