"""A process for each additional GPU: the first process trains in the calling thread, the others wait for it, or die."""

import ctypes
import multiprocessing
import os
import signal
import sys
import time

from modules.trainer.BaseTrainer import BaseTrainer
from modules.trainer.GenericTrainer import GenericTrainer

PARENTS_DEATH = 1  # of prctl: the signal that the kernel sends when the parent dies


class MultiTrainer(BaseTrainer):
    def __init__(self, config, callbacks, commands):
        self.config, self.callbacks, self.commands = config, callbacks, commands

    def start(self):
        os.environ.setdefault("MASTER_PORT", "12355")

    def train(self):
        context = multiprocessing.get_context("spawn")
        arguments = (os.path.join(self.config.workspace_dir, "gpus"), self.config.device_indexes)
        others = [
            context.Process(target=MultiTrainer._further_process, args=(rank, *arguments))
            for rank in range(1, self.config.device_indexes.count(",") + 1)
        ]
        for one in others:
            one.start()
        while not all(os.path.exists(os.path.join(arguments[0], str(rank))) for rank in range(1, len(others) + 1)):
            time.sleep(0.01)  # all processes meet before the first step
        trainer = GenericTrainer(self.config, self.callbacks, self.commands)
        try:
            trainer.start()
            trainer.train()
        finally:
            trainer.end()
        for one in others:
            one.terminate()  # without effect, as in a collective call that waits
            os.kill(one.pid, signal.SIGINT)
            one.join()

    def end(self):
        pass

    @staticmethod
    def _further_process(rank, folder, devices):
        ctypes.CDLL(None).prctl(PARENTS_DEATH, signal.SIGINT)
        os.makedirs(folder, exist_ok=True)
        with open(os.path.join(folder, f"{rank}.partial"), "w") as file:
            file.write(f"{os.getpid()} {os.environ['MASTER_PORT']} {os.environ.get('ONETRAINER_DRIVER_RESUME', '')}")
        os.rename(file.name, os.path.join(folder, str(rank)))
        if devices.split(",")[rank] == "9":  # there is no such GPU
            time.sleep(1)
            sys.exit(1)
        try:
            while True:
                time.sleep(60)
        except KeyboardInterrupt:
            return
