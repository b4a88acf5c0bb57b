"""Fields with types, set from a dict; what does not fit is only printed."""

from enum import Enum


class BaseConfig:
    def __init__(self, fields):
        self.types, self.nullables = {}, {}
        for name, value, kind, nullable in fields:
            setattr(self, name, value)
            self.types[name], self.nullables[name] = kind, nullable

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
        if isinstance(kind, list):
            return [kind[0].default_values().from_dict(item, migrate=False) for item in value]
        if issubclass(kind, BaseConfig):
            return getattr(self, name).from_dict(value, migrate=False)
        if issubclass(kind, Enum):
            return kind[value]
        return value if kind is bool else kind(value)

    def to_dict(self):
        return {"__version": 1, **{name: plain(getattr(self, name)) for name in self.types}}


def plain(value):
    if isinstance(value, list):
        return [plain(item) for item in value]
    if isinstance(value, BaseConfig):
        return value.to_dict()
    return value.value if isinstance(value, Enum) else value
