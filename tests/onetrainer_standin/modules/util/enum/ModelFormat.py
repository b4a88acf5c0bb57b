from enum import Enum


class ModelFormat(Enum):
    DIFFUSERS = "DIFFUSERS"
    SAFETENSORS = "SAFETENSORS"

    def __str__(self):
        return self.value
