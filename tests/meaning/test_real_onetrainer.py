"""The same settings mean the same in a real OneTrainer: it computes all cases in one process, and ours must agree."""

from __future__ import annotations

import json
import os
import subprocess
from pathlib import Path

import pytest
import torch
from safetensors.torch import load_file, save_file

from engine.builtin.config.train_config import TrainConfig
from tests.engine.tiny import Training, config_for, make_model, make_pictures
from tests.meaning import cases, ours

pytestmark = pytest.mark.real_onetrainer

SCRIPT = Path(__file__).with_name("of_onetrainer.py")
PICTURES, EPOCHS = 4, 3
BASE = {
    "training_method": "FINE_TUNE",
    "output_model_format": "SAFETENSORS",
    "temp_device": "cpu",
    "learning_rate": 1e-4,
    "epochs": EPOCHS,
    "lora_alpha": 4,
}
FORMS = ("KOHYA_LORA", "DIFFUSERS_LORA")
PARTS = {"both parts": {}, "the UNet": {"text_encoder": {"train": False}}}


def with_published_names(model: Path) -> Path:
    """Give the text encoder's weights the names that every version of transformers reads."""
    file = model / "text_encoder/model.safetensors"
    weights = {f"text_model.{name.removeprefix('text_model.')}": value for name, value in load_file(file).items()}
    save_file({name: value.clone() for name, value in weights.items()}, file, {"format": "pt"})
    return model


class Comparison:
    """All cases, what OneTrainer answered, and a training of ours for a config."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.model = with_published_names(make_model(folder / "model"))
        self.pictures = make_pictures(folder / "pictures", PICTURES)
        self.latents = torch.randn(2, 4, 8, 8, generator=torch.Generator().manual_seed(3)) * 5
        save_file({"latents": self.latents}, folder / "data.safetensors")
        self.files = {(form, parts): self.lora(form, **PARTS[parts]) for form in FORMS for parts in PARTS}
        listed = self.listed()
        self.changes = {name: case["config"] for name, case in listed.items() if "config" in case}
        self.cases = {name: self.complete(case) for name, case in listed.items()}
        self.theirs = self.ask()

    def train(self, **changes) -> Training:
        name = str(len(list(self.folder.iterdir())))
        one = Training(self.model, self.pictures, self.folder / name, **(BASE | changes))
        one.trainer.start()
        return one

    def lora(self, form: str, **changes) -> Path:
        """A LoRA whose weights all differ from zero."""
        one = self.train(**(cases.LORA | changes | {"output_model_format": form}))
        generator = torch.Generator().manual_seed(7)
        for weight in one.trainer.session.parameters:
            weight.data = torch.randn(weight.shape, generator=generator) * 0.1
        one.trainer.loop.keeper._write_final_model()
        return Path(one.config.output_model_destination)

    def listed(self) -> dict:
        shared = {"captions": cases.CAPTIONS, "loss_weight": cases.LOSS_WEIGHT}
        listed = {
            name: {"kind": "losses", "config": config, "steps": 3, **shared} for name, config in cases.LOSSES.items()
        }
        for name, config in cases.TRAININGS.items():
            is_lora = "training_method" in config
            lora = {"lora_model_name": str(self.lora("KOHYA_LORA", **config))} if is_lora else {}
            listed[name] = {"kind": "training", "config": config | lora, "epoch_length": PICTURES // 2, **shared}
        for (form, parts), file in self.files.items():
            config = cases.LORA | PARTS[parts] | {"lora_model_name": str(file)}
            save_to = str(file.with_name("of_onetrainer.safetensors"))
            listed[f"{form} of {parts}"] = {
                "kind": "lora",
                "config": config,
                "saved_as": form,
                "save_to": save_to,
                **shared,
            }
        for name, config in cases.TIMESTEPS.items():
            listed[name] = {"kind": "timesteps", "config": config, "count": 3000}
        for name, config in cases.SCHEDULES.items():
            listed[name] = {"kind": "rates", "config": config, "epoch_length": 5}
        for name, (unit, after) in cases.STOPS.items():
            part = {"stop_training_after": after, "stop_training_after_unit": unit}
            listed[name] = {"kind": "stops", "config": {"unet": part}, "epochs": 4, "epoch_length": 3}
        for name, (decay, interval, updates) in cases.AVERAGES.items():
            listed[name] = {"kind": "averages", "decay": decay, "interval": interval, "updates": updates}
        return listed

    def complete(self, case: dict) -> dict:
        if "config" not in case:
            return case
        config = config_for(self.model, self.pictures, self.folder) | BASE | case["config"]
        return case | {"config": TrainConfig.from_dict(config).to_dict()}

    def ask(self) -> dict:
        request, answers = self.folder / "request.json", self.folder / "answers.json"
        data = str(self.folder / "data.safetensors")
        request.write_text(json.dumps({"data": data, "answers": str(answers), "cases": self.cases}))
        home = Path(os.environ["ONETRAINER_HOME"])
        python = os.environ.get("ONETRAINER_PYTHON") or home / "venv/bin/python"
        environment = os.environ | {"PYTHONPATH": str(home), "PYTHONDONTWRITEBYTECODE": "1"}
        done = subprocess.run(
            [python, SCRIPT, request], cwd=home, env=environment, capture_output=True, text=True, check=False
        )
        assert done.returncode == 0, done.stderr[-3000:]
        return json.loads(answers.read_text())


@pytest.fixture(scope="module")
def compared(tmp_path_factory):
    return Comparison(tmp_path_factory.mktemp("compared"))


def alike(one, other, within=1e-4):
    assert one == pytest.approx(other, rel=within, abs=within / 100)


@pytest.mark.parametrize("name", cases.LOSSES)
def test_a_setting_gives_the_same_loss_and_rates(compared, name):
    session = compared.train(**cases.LOSSES[name]).trainer.session
    found, theirs = ours.losses(session, compared.cases[name], compared.latents), compared.theirs[name]
    alike(found["losses"], theirs["losses"])
    alike(found["rates"], theirs["rates"])


@pytest.mark.parametrize("name", cases.TRAININGS)
def test_a_training_has_the_same_losses_rates_and_weights(compared, name):
    session = compared.train(**compared.changes[name]).trainer.session
    found, theirs = ours.training(session, compared.cases[name], compared.latents), compared.theirs[name]
    alike(found["losses"], theirs["losses"])
    alike(found["rates"], theirs["rates"])
    alike(found["sum"], theirs["sum"])


@pytest.mark.parametrize("name", [*cases.TIMESTEPS, *cases.SCHEDULES, *cases.STOPS, *cases.AVERAGES])
def test_a_setting_gives_the_same_numbers(compared, name):
    case = compared.cases[name]
    ((key, found),) = ours.WITHOUT_MODEL[case["kind"]](case).items()
    theirs = compared.theirs[name][key]
    assert len(found) == len(theirs)
    for one, other in zip(found, theirs, strict=True):
        alike(one, other, within=1e-6)


@pytest.mark.parametrize("form", FORMS)
@pytest.mark.parametrize("parts", PARTS)
def test_a_lora_is_read_by_the_other_trainer_with_the_same_output(compared, form, parts):
    name = f"{form} of {parts}"
    case, theirs = compared.cases[name], compared.theirs[name]
    for file in (case["config"]["lora_model_name"], case["save_to"]):
        one = compared.train(**cases.LORA, **PARTS[parts], lora_model_name=file)
        with torch.no_grad():
            prediction = ours.predict(one.trainer.session, compared.latents, case["captions"], 0)
        alike(prediction.predicted.flatten().tolist(), theirs["predicted"])
    assert one.recorder.of("on_warning") == []
    assert load_file(case["save_to"]).keys() == load_file(case["config"]["lora_model_name"]).keys()
