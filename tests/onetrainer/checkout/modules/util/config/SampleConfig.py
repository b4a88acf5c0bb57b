"""The settings of a sample."""

from modules.util.config.BaseConfig import BaseConfig


class SampleConfig(BaseConfig):
    @staticmethod
    def default_values(model_type=None):
        return SampleConfig(
            [
                ("enabled", True, bool, False),
                ("prompt", "", str, False),
                ("width", 64, int, False),
                ("height", 64, int, False),
                ("seed", 42, int, False),
                ("random_seed", False, bool, False),
                ("diffusion_steps", 2, int, False),
            ]
        )
