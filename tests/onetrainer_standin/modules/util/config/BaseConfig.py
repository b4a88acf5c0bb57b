from enum import Enum


class BaseConfig:
    def __init__(self, data, config_version=0):
        self.config_version = config_version
        self.types, self.nullables, self.default_values = {}, {}, {}
        for name, value, kind, nullable in data:
            setattr(self, name, value)
            self.types[name], self.nullables[name], self.default_values[name] = kind, nullable, value

    def to_dict(self):
        return {"__version": self.config_version, **{name: plain(getattr(self, name)) for name in self.types}}


def plain(value):
    if isinstance(value, BaseConfig):
        return value.to_dict()
    if isinstance(value, list):
        return [plain(item) for item in value]
    if value in (float("inf"), float("-inf")):
        return str(value)
    return str(value) if isinstance(value, Enum) else value
