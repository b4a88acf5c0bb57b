"""Caches each picture in a thread of a pool, before an epoch."""

import os
import time
from concurrent.futures import ThreadPoolExecutor, as_completed


class DiskCache:
    def __init__(self, folder, pictures):
        self.folder, self.pictures = folder, pictures

    def _get_previous_item(self, variation, name, index):
        while os.path.exists(self.pictures[index] + ".held"):  # encoding takes as long as a test wants
            time.sleep(0.01)
        return self.pictures[index]

    def start(self):
        os.makedirs(self.folder, exist_ok=True)
        with ThreadPoolExecutor(1) as pool:
            futures = [pool.submit(self._cache, index) for index in range(len(self.pictures))]
            for future in as_completed(futures):
                try:
                    future.result()
                except BaseException:
                    pool.shutdown(wait=True, cancel_futures=True)
                    raise

    def _cache(self, index):
        name = os.path.basename(self._get_previous_item(0, "latent", index))
        with open(os.path.join(self.folder, f"{name}.pt"), "w"):
            pass
