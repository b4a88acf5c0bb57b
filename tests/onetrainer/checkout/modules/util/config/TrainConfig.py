"""The fields that the stand-in's trainer and the driver look at."""

import os
import random
import uuid

from modules.util.config.BaseConfig import BaseConfig
from modules.util.config.SampleConfig import SampleConfig
from modules.util.enum.kinds import (
    ConceptType,
    EMAMode,
    ImageFormat,
    ModelFormat,
    ModelType,
    Optimizer,
    TimeUnit,
    TrainingMethod,
)


class ConceptConfig(BaseConfig):
    @staticmethod
    def default_values():
        return ConceptConfig(
            [
                ("path", "", str, False),
                ("name", "", str, False),
                ("type", ConceptType.STANDARD, ConceptType, False),
                ("seed", random.randint(-(1 << 30), 1 << 30), int, False),
            ]
        )


class TrainEmbeddingConfig(BaseConfig):
    @staticmethod
    def default_values():
        return TrainEmbeddingConfig(
            [
                ("uuid", str(uuid.uuid4()), str, False),
                ("placeholder", "<embedding>", str, False),
                ("train", True, bool, False),
            ]
        )


class TrainModelPartConfig(BaseConfig):
    @staticmethod
    def default_values():
        return TrainModelPartConfig([("model_name", "", str, False)])


class CloudConfig(BaseConfig):
    @staticmethod
    def default_values():
        return CloudConfig([("enabled", False, bool, False)])


class SecretsConfig(BaseConfig):
    @staticmethod
    def default_values():
        return SecretsConfig([("huggingface_token", "", str, False)])


class TrainOptimizerConfig(BaseConfig):
    @staticmethod
    def default_values():
        return TrainOptimizerConfig([("optimizer", Optimizer.ADAMW, Optimizer, False), ("beta1", None, float, True)])


class TrainConfig(BaseConfig):
    @staticmethod
    def default_values():
        return TrainConfig(
            [
                ("model_type", ModelType.STABLE_DIFFUSION_15, ModelType, False),
                ("training_method", TrainingMethod.LORA, TrainingMethod, False),
                ("base_model_name", "", str, False),
                ("workspace_dir", "workspace/run", str, False),
                ("cache_dir", "workspace-cache/run", str, False),
                ("clear_cache_before_training", True, bool, False),
                ("continue_last_backup", False, bool, False),
                ("tensorboard", True, bool, False),
                ("multi_gpu", False, bool, False),
                ("device_indexes", "", str, False),
                ("only_cache", False, bool, False),
                ("concepts", None, list[ConceptConfig], True),
                ("concept_file_name", "training_concepts/concepts.json", str, False),
                ("vae", TrainModelPartConfig.default_values(), TrainModelPartConfig, False),
                ("embedding", TrainEmbeddingConfig.default_values(), TrainEmbeddingConfig, False),
                ("additional_embeddings", [], list[TrainEmbeddingConfig], False),
                ("samples", None, list[SampleConfig], True),
                ("sample_definition_file_name", "training_samples/samples.json", str, False),
                ("sample_after", 10, int, False),
                ("sample_after_unit", TimeUnit.NEVER, TimeUnit, False),
                ("sample_image_format", ImageFormat.JPG, ImageFormat, False),
                ("non_ema_sampling", True, bool, False),
                ("validation", False, bool, False),
                ("validate_after", 1, int, False),
                ("validate_after_unit", TimeUnit.EPOCH, TimeUnit, False),
                ("backup_before_save", True, bool, False),
                ("rolling_backup", False, bool, False),
                ("rolling_backup_count", 3, int, False),
                ("output_model_destination", "models/model.safetensors", str, False),
                ("output_model_format", ModelFormat.KOHYA_LORA, ModelFormat, False),
                ("learning_rate", 0.001, float, False),
                ("epochs", 1, int, False),
                ("resolution", "512", str, False),
                ("batch_size", 1, int, False),
                ("gradient_accumulation_steps", 1, int, False),
                ("ema", EMAMode.OFF, EMAMode, False),
                ("optimizer", TrainOptimizerConfig.default_values(), TrainOptimizerConfig, False),
                ("cloud", CloudConfig.default_values(), CloudConfig, False),
                ("secrets", SecretsConfig.default_values(), SecretsConfig, False),
            ]
        )

    def get_last_backup_path(self):
        folder = os.path.join(self.workspace_dir, "backup")
        names = sorted(os.listdir(folder)) if os.path.isdir(folder) else []
        return os.path.join(folder, names[-1]) if names else None
