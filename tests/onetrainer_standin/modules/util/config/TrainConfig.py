import uuid

from modules.util.config.BaseConfig import BaseConfig
from modules.util.config.ConceptConfig import ConceptConfig
from modules.util.config.SampleConfig import SampleConfig
from modules.util.enum.ModelFormat import ModelFormat
from modules.util.enum.ModelType import ModelType
from modules.util.enum.Optimizer import Optimizer
from modules.util.enum.TrainingMethod import TrainingMethod


class TrainModelPartConfig(BaseConfig):
    @staticmethod
    def default_values():
        data = [
            ("train", True, bool, False),
            ("stop_training_after", None, int, True),
            ("train_sideways", False, bool, False),
        ]
        return TrainModelPartConfig(data)


class TrainEmbeddingConfig(BaseConfig):
    @staticmethod
    def default_values():
        return TrainEmbeddingConfig([("uuid", str(uuid.uuid4()), str, False), ("token_count", 1, int, True)])


class TrainOptimizerConfig(BaseConfig):
    @staticmethod
    def default_values():
        data = [
            ("optimizer", Optimizer.ADAMW, Optimizer, False),
            ("beta1", None, float, True),
            ("weight_decay", None, float, True),
            ("growth_rate", None, float, True),
        ]
        return TrainOptimizerConfig(data)


class TrainConfig(BaseConfig):
    @staticmethod
    def default_values():
        text_encoder = TrainModelPartConfig.default_values()
        text_encoder.stop_training_after = 30
        data = [
            ("training_method", TrainingMethod.LORA, TrainingMethod, False),
            ("model_type", ModelType.STABLE_DIFFUSION_15, ModelType, False),
            ("output_model_format", ModelFormat.SAFETENSORS, ModelFormat, False),
            ("batch_size", 1, int, False),
            ("learning_rate", 3e-6, float, False),
            ("brand_new_dtype", "", str, False),
            ("scheduler_params", [], list[dict[str, str]], True),
            ("concepts", None, list[ConceptConfig], True),
            ("samples", None, list[SampleConfig], True),
            ("unet", TrainModelPartConfig.default_values(), TrainModelPartConfig, False),
            ("transformer", TrainModelPartConfig.default_values(), TrainModelPartConfig, False),
            ("text_encoder", text_encoder, TrainModelPartConfig, False),
            ("embedding", TrainEmbeddingConfig.default_values(), TrainEmbeddingConfig, False),
            ("additional_embeddings", [], list[TrainEmbeddingConfig], False),
            ("optimizer", TrainOptimizerConfig.default_values(), TrainOptimizerConfig, False),
        ]
        return TrainConfig(data, 11)
