"""Generates pictures with saved files as any program does that uses plain diffusers; knows nothing of this project.

Run as a program, it reads jobs from its first argument and writes their pictures to its second, in their order.
"""

from __future__ import annotations

import json
import sys

import numpy as np
import torch
from diffusers import StableDiffusionPipeline

PROMPT = "a red circle"


def picture(base: str, file: str = "", lora: str = "") -> np.ndarray:
    """A picture (height, width, 3) in [0, 1] from the folder `base`, or from a single file with configs of `base`."""
    if file:
        pipeline = StableDiffusionPipeline.from_single_file(file, config=base, local_files_only=True)
    else:
        pipeline = StableDiffusionPipeline.from_pretrained(base)
    pipeline.set_progress_bar_config(disable=True)
    if lora:
        pipeline.load_lora_weights(lora)
    options = {"width": 64, "height": 64, "num_inference_steps": 2, "output_type": "np"}
    return pipeline(PROMPT, generator=torch.Generator().manual_seed(1), **options).images[0]


def main() -> None:
    jobs, target = sys.argv[1:]
    np.savez(target, *[picture(**job) for job in json.loads(jobs)])


if __name__ == "__main__":
    main()
