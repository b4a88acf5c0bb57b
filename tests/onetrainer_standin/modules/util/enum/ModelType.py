from enum import Enum

from modules.util.enum.TrainingMethod import TrainingMethod


class ModelType(Enum):
    STABLE_DIFFUSION_15 = "STABLE_DIFFUSION_15"
    NEXT_YEARS_MODEL = "NEXT_YEARS_MODEL"

    def __str__(self):
        return self.value

    def supported_training_methods(self):
        both = (TrainingMethod.FINE_TUNE, TrainingMethod.LORA)
        return both if self is ModelType.STABLE_DIFFUSION_15 else (TrainingMethod.LORA,)

    def model_parts(self):
        own = "unet" if self is ModelType.STABLE_DIFFUSION_15 else "transformer"
        return (own, "text_encoder")
