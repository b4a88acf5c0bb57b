"""Flags that run together, and a list of samples."""


class TrainCommands:
    def __init__(self):
        self.stopped = False
        self.flags = set()
        self.samples = []

    def stop(self):
        self.stopped = True

    def sample_default(self):
        self.flags.add("sample_default")

    def backup(self):
        self.flags.add("backup")

    def save(self):
        self.flags.add("save")

    def sample_custom(self, sample):
        self.samples.append(sample)

    def take(self, flag):
        found = flag in self.flags
        self.flags.discard(flag)
        return found
