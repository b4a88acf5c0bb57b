"""Makes the parts of a trainer."""

from modules.modelSampler.BaseModelSampler import BaseModelSampler
from modules.modelSaver.Saver import Saver


class BaseTrainer:
    def create_model_saver(self):
        return Saver()

    def create_model_sampler(self, model):
        return BaseModelSampler()
