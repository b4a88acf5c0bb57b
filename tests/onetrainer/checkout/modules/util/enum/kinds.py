"""The choices that the stand-in knows."""

from enum import Enum


class Named(Enum):
    def __str__(self):
        return self.value


class ModelFormat(Named):
    KOHYA_LORA = "KOHYA_LORA"
    SAFETENSORS = "SAFETENSORS"
    INTERNAL = "INTERNAL"


class TrainingMethod(Named):
    LORA = "LORA"


class ModelType(Named):
    STABLE_DIFFUSION_15 = "STABLE_DIFFUSION_15"

    def supported_training_methods(self):
        return [TrainingMethod.LORA]

    def supported_output_formats(self, method):
        return [ModelFormat.KOHYA_LORA]


class Optimizer(Named):
    ADAMW = "ADAMW"


class EMAMode(Named):
    OFF = "OFF"
    CPU = "CPU"


class ConceptType(Named):
    STANDARD = "STANDARD"
    VALIDATION = "VALIDATION"


class TimeUnit(Named):
    NEVER = "NEVER"
    STEP = "STEP"
    EPOCH = "EPOCH"


class ImageFormat(Named):
    PNG = "PNG"
    JPG = "JPG"

    def extension(self):
        return f".{self.value.lower()}"


class FileType(Named):
    IMAGE = "IMAGE"
