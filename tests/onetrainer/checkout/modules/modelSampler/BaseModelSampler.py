"""Generates a sample: first the file, then the callback."""

import os

from modules.util.enum.kinds import FileType

PNG_BEGIN, PNG_END = b"\x89PNG\r\n\x1a\n", b"IEND\xaeB`\x82"


class ModelSamplerOutput:
    def __init__(self, file_type, data):
        self.file_type, self.data = file_type, data


class BaseModelSampler:
    @staticmethod
    def save_sampler_output(sampler_output, destination, image_format, video_format, audio_format, fps=24):
        os.makedirs(os.path.dirname(destination), exist_ok=True)
        with open(destination + image_format.extension(), "wb") as file:
            file.write(sampler_output.data)

    def sample(
        self, sample_config, destination, image_format, video_format, audio_format, on_sample, on_update_progress
    ):
        if sample_config.width < 0:
            raise RuntimeError("Trying to create tensor with negative dimension")
        on_update_progress(1, 1)
        text = f"{sample_config.prompt} {sample_config.seed}".encode()
        output = ModelSamplerOutput(FileType.IMAGE, PNG_BEGIN + text + PNG_END)
        self.save_sampler_output(output, destination, image_format, None, None)
        on_sample(output)
