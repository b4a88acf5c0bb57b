"""Makes the parts of a trainer."""

from modules.modelSampler.BaseModelSampler import BaseModelSampler
from modules.modelSaver.Saver import Saver


class BaseTrainer:
    def create_data_loader(self, model, model_setup, train_progress, is_validation=False):
        return None

    def create_model_saver(self):
        return Saver()

    def create_model_sampler(self, model):
        return BaseModelSampler()
