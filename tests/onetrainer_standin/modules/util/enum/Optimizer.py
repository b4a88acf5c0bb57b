from enum import Enum


class Optimizer(Enum):
    ADAMW = "ADAMW"
    PRODIGY = "PRODIGY"

    def __str__(self):
        return self.value
