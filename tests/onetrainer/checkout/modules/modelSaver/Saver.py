"""Writes the one trained number, as a backup's folder or as a file."""

import json
import os


class Saver:
    def save(self, model, model_type, output_model_format, output_model_destination, dtype):
        if str(output_model_format) == "SAFETENSORS":
            raise NotImplementedError(output_model_format)
        header = json.dumps({"weight": {"dtype": "F64", "shape": [], "data_offsets": [0, 8]}}).encode()
        whole = len(header).to_bytes(8, "little") + header + bytes(8)
        if str(output_model_format) != "INTERNAL":
            os.makedirs(os.path.dirname(output_model_destination), exist_ok=True)
            return self._write(output_model_destination, whole)
        os.makedirs(os.path.join(output_model_destination, "lora"))
        self._write(os.path.join(output_model_destination, "lora", "lora.safetensors"), whole)
        progress = {"train_progress": vars(model.train_progress)}
        self._write(os.path.join(output_model_destination, "meta.json"), json.dumps(progress).encode())

    def _write(self, path, content):
        with open(path, "wb") as file:
            file.write(content)
