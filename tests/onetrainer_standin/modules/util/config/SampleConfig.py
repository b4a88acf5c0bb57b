from modules.util.config.BaseConfig import BaseConfig


class SampleConfig(BaseConfig):
    @staticmethod
    def default_values(model_type=None):
        data = [("prompt", "", str, False), ("cfg_scale", 7.5 if model_type else 7.0, float, False)]
        return SampleConfig(data)
