import random

from modules.util.config.BaseConfig import BaseConfig


class ConceptConfig(BaseConfig):
    @staticmethod
    def default_values():
        return ConceptConfig([("path", "", str, False), ("seed", random.randint(1, 2**30), int, False)], 2)
