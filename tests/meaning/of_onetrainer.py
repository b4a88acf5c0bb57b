"""Writes what a real OneTrainer computes into a JSON file; runs in its folder, which PYTHONPATH names, with its Python.

The input is a JSON file: the model's folder, a safetensors file with latents, and the cases with their configs.
"""

from __future__ import annotations

import contextlib
import copy
import json
import sys
from pathlib import Path

import torch
from modules.module.EMAModule import EMAModuleWrapper
from modules.util import create
from modules.util.config.TrainConfig import TrainConfig
from modules.util.enum.ModelFormat import ModelFormat
from modules.util.TimedActionMixin import TimedActionMixin
from modules.util.TrainProgress import TrainProgress
from safetensors.torch import load_file

CPU = torch.device("cpu")


def read_config(values):
    return TrainConfig.default_values().from_dict(values)


LOADED = {}


def load(config):
    """The config's model, as loaded; each is loaded once."""
    key = (config.training_method, config.lora_model_name)
    if key not in LOADED:
        loader = create.create_model_loader(config.model_type, config.training_method)
        LOADED[key] = loader.load(config.model_type, config.model_names(), config.weight_dtypes(), config.quantization)
    return copy.deepcopy(LOADED[key])


class Setup:
    """A loaded model with its setup, as the trainer makes it."""

    def __init__(self, values):
        self.config = config = read_config(values)
        self.model = load(config)
        self.model.train_config = config
        self.setup = create.create_model_setup(config.model_type, CPU, CPU, config.training_method, False)
        self.setup.setup_optimizations(self.model, config)
        self.setup.setup_train_device(self.model, config)
        self.setup.setup_model(self.model, config)
        self.setup.setup_train_device(self.model, config)

    def batch(self, latents, captions, loss_weight):
        tokenizer = self.model.tokenizer
        tokens = tokenizer(
            captions, padding="max_length", truncation=True, max_length=tokenizer.model_max_length, return_tensors="pt"
        ).input_ids
        batch = {"latent_image": latents, "tokens": tokens, "loss_weight": torch.tensor(loss_weight)}
        if not self.config.train_text_encoder_or_embedding():
            with torch.no_grad():
                batch["text_encoder_hidden_state"] = self.model.encode_text(train_device=CPU, tokens=tokens)
        return batch

    def loss(self, batch, step):
        torch.manual_seed(step)
        progress = TrainProgress(global_step=step)
        output = self.setup.predict(self.model, batch, self.config, progress)
        return output, self.setup.calculate_loss(self.model, batch, output, self.config)


def losses(case, data):
    one = Setup(case["config"])
    batch = one.batch(data["latents"], case["captions"], case["loss_weight"])
    found = [one.loss(batch, step) for step in range(case["steps"])]
    return {
        "losses": [loss.item() for _, loss in found],
        "timesteps": [output["timestep"].tolist() for output, _ in found],
        "rates": {group["name"]: group["lr"] for group in one.model.optimizer.param_groups},
    }


def training(case, data):
    """The trainer's own order of calls, without its data loader."""
    one = Setup(case["config"])
    config, model = one.config, one.model
    every = config.gradient_accumulation_steps
    schedule = create.create_lr_scheduler(
        config=config,
        optimizer=model.optimizer,
        learning_rate_scheduler=config.learning_rate_scheduler,
        warmup_steps=config.learning_rate_warmup_steps,
        num_cycles=config.learning_rate_cycles,
        min_factor=config.learning_rate_min_factor,
        num_epochs=config.epochs,
        approximate_epoch_length=case["epoch_length"],
        batch_size=config.batch_size,
        gradient_accumulation_steps=every,
    )
    parameters = model.parameters.parameters()
    progress, found, rates = model.train_progress, [], []
    for step in range(case["epoch_length"] * config.epochs):
        batch = one.batch(data["latents"], case["captions"], case["loss_weight"])
        torch.manual_seed(step)
        output = one.setup.predict(model, batch, config, progress)
        loss = one.setup.calculate_loss(model, batch, output, config)
        (loss / every).backward()
        found.append(loss.item())
        if (step + 1) % every == 0:
            present = {group["name"]: group["lr"] for group in model.optimizer.param_groups}
            rates += sorted(config.optimizer.optimizer.maybe_adjust_lrs(present, model.optimizer).values())
            torch.nn.utils.clip_grad_norm_(parameters, config.clip_grad_norm)
            model.optimizer.step()
            schedule.step()
            model.optimizer.zero_grad(set_to_none=True)
            one.setup.after_optimizer_step(model, config, progress)
            if model.ema:
                model.ema.step(parameters, progress.global_step // every)
        progress.next_step(config.batch_size)
        if progress.epoch_step == case["epoch_length"]:
            progress.next_epoch()
    norms = model.ema.ema_parameters if model.ema else parameters
    return {"losses": found, "rates": rates, "sum": sum(weight.double().abs().sum().item() for weight in norms)}


def timesteps(case, data):
    one = create.create_model_setup(read_config(case["config"]).model_type, CPU, CPU)
    config = read_config(case["config"])
    torch.manual_seed(1)
    drawn = one._get_timestep_discrete(1000, False, torch.Generator().manual_seed(1), case["count"], config)
    return {"drawn": drawn.clamp(max=999).tolist()}  # a share of 1 is the timestep 1000, which does not exist


def rates(case, data):
    config = read_config(case["config"])
    weight = torch.nn.Parameter(torch.ones(1))
    optimizer = torch.optim.AdamW(
        [{"params": [weight], "lr": config.learning_rate, "initial_lr": config.learning_rate}]
    )
    schedule = create.create_lr_scheduler(
        config=config,
        optimizer=optimizer,
        learning_rate_scheduler=config.learning_rate_scheduler,
        warmup_steps=config.learning_rate_warmup_steps,
        num_cycles=config.learning_rate_cycles,
        min_factor=config.learning_rate_min_factor,
        num_epochs=config.epochs,
        approximate_epoch_length=case["epoch_length"],
        batch_size=config.batch_size,
        gradient_accumulation_steps=config.gradient_accumulation_steps,
    )
    found = []
    for _ in range(case["epoch_length"] * config.epochs // config.gradient_accumulation_steps):
        found.append(optimizer.param_groups[0]["lr"])
        optimizer.step()
        schedule.step()
    return {"rates": found}


def averages(case, data):
    weight = torch.nn.Parameter(torch.zeros(1))
    ema = EMAModuleWrapper([weight], case["decay"], case["interval"], CPU)
    found = []
    for update in range(case["updates"]):
        weight.data += 1
        ema.step([weight], update)
        found.append((ema.get_current_decay(update), ema.ema_parameters[0].item()))
    return {"averages": found}


def stops(case, data):
    config = read_config(case["config"]).unet
    progress, found, timed = TrainProgress(), [], TimedActionMixin()
    for _ in range(case["epochs"] * case["epoch_length"]):
        found.append(
            timed.single_action_elapsed("", config.stop_training_after, config.stop_training_after_unit, progress)
        )
        progress.next_step(1)
        if progress.epoch_step == case["epoch_length"]:
            progress.next_epoch()
    return {"stopped": found}


def lora(case, data):
    """Loads a LoRA file, predicts with it, and saves it again."""
    one = Setup(case["config"])
    batch = one.batch(data["latents"], case["captions"], case["loss_weight"])
    with torch.no_grad():
        output, _ = one.loss(batch, 0)
    saver = create.create_model_saver(one.config.model_type, one.config.training_method)
    saver.save(one.model, one.config.model_type, ModelFormat[case["saved_as"]], case["save_to"], torch.float32)
    return {
        "predicted": output["predicted"].flatten().tolist(),
        "layers": {
            "unet": sorted(one.model.unet_lora.lora_modules),
            "text_encoder": sorted(one.model.text_encoder_lora.lora_modules if one.model.text_encoder_lora else []),
        },
    }


KINDS = {kind.__name__: kind for kind in (losses, training, timesteps, rates, averages, stops, lora)}


def main(path):
    request = json.loads(Path(path).read_text())
    data = load_file(request["data"])
    with contextlib.redirect_stdout(sys.stderr):  # it prints much
        answers = {name: KINDS[case["kind"]](case, data) for name, case in request["cases"].items()}
    Path(request["answers"]).write_text(json.dumps(answers))


if __name__ == "__main__":
    main(sys.argv[1])
