"""What the trainer promises for every family of models; each cell of the table is a test."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy
import pytest
import torch
from diffusers import (
    DDIMScheduler,
    DDPMScheduler,
    StableDiffusionInpaintPipeline,
    StableDiffusionPipeline,
    StableDiffusionXLInpaintPipeline,
    StableDiffusionXLPipeline,
)
from PIL import Image
from safetensors.torch import load_file

from engine.builtin.config.check import check
from engine.builtin.config.train_config import TrainConfig
from engine.builtin.families.loading import load_family
from engine.builtin.preflight import preflight
from tests.engine.families.models import make_xl
from tests.engine.tiny import Training, config_for, make_model, make_pictures, sample


@dataclass(frozen=True)
class Row:
    """A family of the table: its model type, its smallest model, and the pipeline that others load it with."""

    model_type: str
    make: Any
    pipeline: Any
    options: dict[str, Any] = field(default_factory=dict)

    @property
    def encoders(self) -> int:
        return 2 if "XL" in self.model_type else 1


ROWS = {
    "sd": Row("STABLE_DIFFUSION_15", make_model, StableDiffusionPipeline, {"safety_checker": None}),
    "sd-inpainting": Row(
        "STABLE_DIFFUSION_15_INPAINTING",
        lambda folder: make_model(folder, kind=StableDiffusionInpaintPipeline, inputs=9),
        StableDiffusionInpaintPipeline,
        {"safety_checker": None},
    ),
    "sdxl": Row("STABLE_DIFFUSION_XL_10_BASE", make_xl, StableDiffusionXLPipeline),
    "sdxl-inpainting": Row(
        "STABLE_DIFFUSION_XL_10_BASE_INPAINTING",
        lambda folder: make_xl(folder, inputs=9),
        StableDiffusionXLInpaintPipeline,
    ),
}
PROMPT, STEPS, SIZE = "a red circle", 2, 32


@pytest.fixture(scope="module")
def models(tmp_path_factory):
    folder = tmp_path_factory.mktemp("models")
    return {name: row.make(folder / name) for name, row in ROWS.items()}


@pytest.fixture(scope="module", params=ROWS)
def name(request):
    return request.param


@pytest.fixture
def row(name):
    return ROWS[name]


@pytest.fixture
def model(models, name):
    return models[name]


@pytest.fixture
def training(model, row, tmp_path):
    """Makes trainings with pictures that are not square, so that sizes and crops count."""
    pictures = make_pictures(tmp_path / "pictures", size=(48, 36))

    def make(folder="run", base=model, resume_from=None, **changes):
        settings = {"model_type": row.model_type, "text_encoder": {"train": True}} | changes
        return Training(base, pictures, tmp_path / folder, resume_from, **settings)

    return make


def saved(run: Training) -> Path:
    return Path(run.config.output_model_destination)


def painted(row: Row, pipeline: Any, **more: Any) -> numpy.ndarray:
    """One picture of a pipeline, (height, width, 3)."""
    pipeline.set_progress_bar_config(disable=True)
    if "INPAINTING" in row.model_type:
        white = Image.new("L", (SIZE, SIZE), 255)
        with torch.no_grad():  # the mean, as the trainer uses it: the pipeline itself takes a random latent
            grey = pipeline.vae.encode(torch.zeros(1, 3, SIZE, SIZE)).latent_dist.mode()
        more |= {"masked_image_latents": grey * pipeline.vae.config.scaling_factor}
        more |= {"image": Image.new("RGB", (SIZE, SIZE)), "mask_image": white, "strength": 1.0}
    generator = torch.Generator("cpu").manual_seed(7)
    size = {"width": SIZE, "height": SIZE}
    return pipeline(PROMPT, **size, num_inference_steps=STEPS, generator=generator, output_type="np", **more).images[0]


def loaded(row: Row, folder: Path) -> Any:
    return row.pipeline.from_pretrained(folder, **row.options)


# -- the training ---------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("method", ["LORA", "FINE_TUNE"])
def test_every_trained_part_learns(training, row, method):
    changes = {"training_method": method, "output_model_format": "SAFETENSORS", "learning_rate": 0.01}
    run = training(**changes)
    run.trainer.start()
    session = run.trainer.session
    before = {part: [weight.detach().clone() for weight in weights] for part, weights in session.trained.items()}
    run.trainer.train()
    assert len(before) == 1 + row.encoders
    for part, weights in session.trained.items():
        assert any(not torch.equal(weight, old) for weight, old in zip(weights, before[part], strict=True)), part


def test_two_runs_are_the_same(training):
    first, second = training("first").run(), training("second").run()
    assert first.recorder.losses == second.recorder.losses
    one, other = load_file(saved(first)), load_file(saved(second))
    assert all(torch.equal(weight, other[key]) for key, weight in one.items())


def test_a_resumed_run_is_the_run_in_one_go(training):
    whole = training("whole").run()
    stopped = training("stopped")
    stopped.at_step(3, lambda: stopped.commands.stop(final_model=False))
    stopped.run()
    resumed = training("resumed", resume_from=stopped.artifacts("backup")[0]).run()
    assert whole.recorder.losses == stopped.recorder.losses | resumed.recorder.losses
    one, other = load_file(saved(whole)), load_file(saved(resumed))
    assert all(torch.equal(weight, other[key]) for key, weight in one.items())


def test_the_cache_changes_no_loss(training):
    frozen = {"text_encoder": {"train": False}, "text_encoder_2": {"train": False}, "epochs": 1}
    cached = training("cached", latent_caching=True, **frozen).run()
    plain = training("plain", latent_caching=False, **frozen).run()
    assert list(cached.recorder.losses.values()) == pytest.approx(list(plain.recorder.losses.values()), rel=1e-5)


def test_a_dropped_caption_is_zeros_for_its_text_encoder_alone(training, row):
    """With a probability of 1 - 1e-9 every caption is dropped, and the check still takes the config."""
    last = "text_encoder_2" if row.encoders == 2 else "text_encoder"
    nearly = {"train": False, "dropout_probability": 0.999999999}
    run = training(**({"text_encoder": {"train": False}, last: nearly}))
    run.trainer.start()
    seen = []
    family = run.trainer.session.family
    predict = family.predict
    family.predict = lambda latents, text, generator: seen.append(text) or predict(latents, text, generator)
    run.trainer.train()
    for text in seen:
        assert {key: bool(state.any()) for key, state in text.items()} == {
            key: family.encoder_of(key) != last for key in text
        }


# -- the mathematics --------------------------------------------------------------------------------------------------


def expected_loss(row: Row, session: Any) -> torch.Tensor:
    """The loss of the first step, written anew with the parts of plain diffusers, from the pictures' files."""
    pipeline, items = session.family.pipeline, session.loader.batches(0)[0]
    seed = hash((session.config.seed, 0)) % 2**63
    generator = torch.Generator().manual_seed(seed)
    gray = torch.tensor([40 * int(item.picture.path.stem) % 256 / 127.5 - 1 for item in items])
    height, width = items[0].crop.size[::-1]
    pixels = gray[:, None, None, None].expand(-1, 3, height, width)
    with torch.no_grad():
        clean = pipeline.vae.encode(pixels).latent_dist.mode() * pipeline.vae.config.scaling_factor
    scheduler = DDPMScheduler.from_config(pipeline.scheduler.config)
    share = torch.rand(len(items), generator=generator)
    timesteps = (share * scheduler.config.num_train_timesteps).long()
    noise = torch.randn(clean.shape, generator=generator)
    seen = scheduler.add_noise(clean, noise, timesteps)
    if session.family.takes_mask:
        with torch.no_grad():
            gray_picture = pipeline.vae.encode(torch.zeros_like(pixels)).latent_dist.mode()
        masked = gray_picture * pipeline.vae.config.scaling_factor
        seen = torch.cat([seen, torch.ones_like(seen[:, :1]), masked], dim=1)
    captions = [item.caption for item in items]
    predicted = pipeline.unet(seen, timesteps, **told(row, pipeline, captions, items), return_dict=False)[0]
    return torch.nn.functional.mse_loss(predicted, noise)


def told(row: Row, pipeline: Any, captions: list[str], items: list[Any]) -> dict[str, Any]:
    def ids(tokenizer):
        return tokenizer(captions, padding="max_length", truncation=True, return_tensors="pt").input_ids

    if row.encoders == 1:
        return {"encoder_hidden_states": pipeline.text_encoder(ids(pipeline.tokenizer))[0]}
    first = pipeline.text_encoder(ids(pipeline.tokenizer), output_hidden_states=True)
    second = pipeline.text_encoder_2(ids(pipeline.tokenizer_2), output_hidden_states=True)
    # The pictures have 48 x 36 pixels.
    sizes = [[36, 48, item.crop.top, item.crop.left, *item.crop.size[::-1]] for item in items]
    return {
        "encoder_hidden_states": torch.cat([first.hidden_states[-2], second.hidden_states[-2]], dim=-1),
        "added_cond_kwargs": {"text_embeds": second[0], "time_ids": torch.tensor(sizes, dtype=torch.float32)},
    }


def gradients(session: Any) -> dict[int, torch.Tensor]:
    """By the weights' places: clones, since the next step clears them."""
    given = ((place, weight.grad) for place, weight in enumerate(session.parameters))
    return {place: gradient.clone() for place, gradient in given if gradient is not None}


def test_loss_and_gradients_are_those_of_an_independent_computation(training, row):
    whole = {"training_method": "FINE_TUNE", "output_model_format": "SAFETENSORS"}
    run = training(**whole, epochs=1, batch_size=6, clip_grad_norm=None)
    if "INPAINTING" in row.model_type:
        run.config.unmasked_probability = 1.0
    run.trainer.start()
    session = run.trainer.session
    expected = expected_loss(row, session)
    expected.backward()
    ours: dict[int, torch.Tensor] = {}
    step = session.optimizer.step

    def keep(*args: Any, **kwargs: Any) -> Any:
        ours.update(gradients(session))
        return step(*args, **kwargs)

    theirs = gradients(session)
    session.optimizer.zero_grad(set_to_none=True)
    session.optimizer.step = keep
    run.trainer.train()
    assert run.recorder.losses[0] == pytest.approx(expected.item(), rel=1e-5)
    assert ours.keys() == theirs.keys()
    largest = max(float(grad.abs().max()) for grad in theirs.values())
    for index, grad in theirs.items():
        torch.testing.assert_close(ours[index], grad, rtol=1e-3, atol=1e-4 * largest)


# -- the files --------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("layout", ["KOHYA_LORA", "DIFFUSERS_LORA"])
def test_a_lora_paints_the_same_picture_in_plain_diffusers(training, row, model, layout):
    run = training(output_model_format=layout, learning_rate=0.05)
    run.run()
    mine = painted(row, run.trainer.session.family.pipeline)
    plain = loaded(row, model)
    without = painted(row, plain)
    plain.load_lora_weights(saved(run))
    theirs = painted(row, plain)
    assert abs(theirs - mine).max() < 0.004 < abs(without - mine).max()


def test_a_lora_continues_from_its_file(training):
    first = training("first").run()
    again = training("again", lora_model_name=str(saved(first)), learning_rate=0.0001)
    again.trainer.start()
    assert not again.recorder.of("on_warning")
    before = load_file(saved(first))
    session = again.trainer.session
    assert sum(len(weights) for weights in session.trained.values()) == sum("alpha" not in key for key in before)
    norm = sum(float(weight.detach().double().pow(2).sum()) for weight in session.parameters)
    expected = sum(float(weight.double().pow(2).sum()) for key, weight in before.items() if "alpha" not in key)
    assert norm == pytest.approx(expected, rel=1e-4)


@pytest.mark.parametrize("layout", ["DIFFUSERS", "SAFETENSORS"])
def test_a_fine_tuned_model_is_loaded_by_plain_diffusers_and_trained_again(training, row, layout):
    changes = {"training_method": "FINE_TUNE", "output_model_format": layout}
    run = training(**changes).run()
    mine = painted(row, run.trainer.session.family.pipeline)
    if layout == "DIFFUSERS":
        assert abs(painted(row, loaded(row, saved(run))) - mine).max() < 0.004
    again = training("again", base=saved(run), epochs=1, **changes)
    again.trainer.start()
    assert abs(painted(row, again.trainer.session.family.pipeline) - mine).max() < 0.004


# -- samples, the check -----------------------------------------------------------------------------------------------


def test_a_sample_is_the_picture_of_the_plain_pipeline(training, row, model):
    """The first one is generated before the first step."""
    prompt = sample(PROMPT, width=SIZE, height=SIZE, diffusion_steps=STEPS, cfg_scale=3.0, seed=7)
    run = training(samples=[prompt | {"noise_scheduler": "DDIM"}], sample_after=1, sample_after_unit="EPOCH", epochs=1)
    run.run()
    ((output, *_), *_) = run.recorder.of("on_sample_default")
    plain = loaded(row, model)
    plain.scheduler = DDIMScheduler.from_config(plain.scheduler.config)
    theirs = painted(row, plain, guidance_scale=3.0, negative_prompt="")
    assert abs(theirs - numpy.asarray(Image.open(output.path)) / 255).max() < 0.01


def test_the_check_finds_no_fault_and_estimates_the_run(training, row):
    run = training()
    found = preflight(run.config.to_dict(), [])
    assert [one for one in found.problems if one.is_error] == []
    assert found.estimate["memory"]["total"] > 0 and found.estimate["batches"] == 3


def test_a_family_is_loaded_by_its_type(model, row, tmp_path):
    settings = config_for(model, tmp_path, tmp_path) | {"model_type": row.model_type}
    family = load_family(TrainConfig.from_dict(settings), torch.device("cpu"))
    assert row.model_type in family.model_types and row.encoders == len(family.text_encoders)
    assert not [one for one in check(settings | {"concepts": [{"path": str(tmp_path)}]}) if one.field == "model_type"]
