"""Gives the pictures of an epoch, one after the other."""


class LoadingPipeline:
    def __init__(self, count):
        self._left = count

    def __iter__(self):
        return self

    def __next__(self):
        if not self._left:
            raise StopIteration
        self._left -= 1
        return self._left
