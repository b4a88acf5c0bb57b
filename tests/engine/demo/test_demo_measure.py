from __future__ import annotations

import json

import pytest
import torch
from diffusers import StableDiffusionPipeline
from PIL import Image
from safetensors.torch import load_file, save_file

from engine.demo import measure
from engine.demo.shapes import BACKGROUNDS, COLOURS, SIZE, STAR, Figure
from engine.demo.stars import judge
from tests.engine.tiny import Training, make_model, make_pictures


@pytest.fixture(scope="module")
def model(tmp_path_factory):
    return make_model(tmp_path_factory.mktemp("model"))


@pytest.fixture(scope="module")
def lora(model, tmp_path_factory):
    folder = tmp_path_factory.mktemp("lora")
    training = Training(model, make_pictures(folder / "pictures"), folder, learning_rate=0.1).run()
    return training.artifacts("model")[0]


FEW = 2  # denoising steps, for tests that any picture passes, however poor


@pytest.fixture
def quiet():
    """`main` silences diffusers and transformers, which is meant for a process of its own."""
    from diffusers.utils import logging as diffusers_logging
    from transformers.utils import logging as transformers_logging

    before = [(logging, logging.get_verbosity()) for logging in (diffusers_logging, transformers_logging)]
    yield
    for logging, verbosity in before:
        logging.set_verbosity(verbosity)
        logging.enable_progress_bar()


def drawn(figure: Figure, asked_colour: str) -> measure.MeasuredPicture:
    picture = figure.draw()
    return measure.MeasuredPicture(measure.Prompt(asked_colour, figure.background, 1), picture, judge(picture))


def four_drawn_results() -> list[measure.MeasuredPicture]:
    """Of two requests for red one shows a red star; of two for blue one shows a star, but a green one."""
    return [
        drawn(Figure(STAR, "red", "white"), "red"),
        drawn(Figure("circle", "red", "white"), "red"),
        drawn(Figure(STAR, "green", "black"), "blue"),
        drawn(Figure("square", "blue", "black"), "blue"),
    ]


def test_the_prompts_are_six_colours_with_four_seeds_on_backgrounds_in_turn():
    prompts = measure.make_prompts(measure.SEEDS)
    assert len(prompts) == len(set(prompts)) == 24
    assert {prompt.colour for prompt in prompts} == set(COLOURS)
    assert {prompt.background for prompt in prompts} == set(BACKGROUNDS)
    assert prompts[1].text == "a red star on black background"


def test_no_background_has_the_name_of_a_colour():
    assert not set(BACKGROUNDS) & set(COLOURS)


def test_the_measurement_samples_as_the_demo_run_does():
    config = json.loads((measure.MODEL.parent / "config.json").read_text())
    settings = {(sample["diffusion_steps"], sample["cfg_scale"]) for sample in config["samples"]}
    assert settings == {(measure.STEPS, measure.GUIDANCE)}


def test_the_table_counts_stars_and_stars_of_the_requested_colour():
    results = [drawn(Figure(STAR, colour, "gray"), colour) for colour in COLOURS] + four_drawn_results()
    table = {line.split()[0]: line.split() for line in measure.report({"drawn": results}).splitlines()[1:]}
    assert table["red"] == ["red", "2/3", "67%", "2/3", "67%"]
    assert table["blue"] == ["blue", "2/3", "67%", "1/3", "33%"]
    assert table["all"] == ["all", "8/10", "80%", "7/10", "70%"]


def test_the_grid_frames_requested_stars_in_green():
    results = [drawn(Figure(STAR, colour, "gray"), colour) for colour in COLOURS]
    results[0] = drawn(Figure("circle", "red", "gray"), "red")
    grid = measure.make_grid({"without": results, "with": results})
    side = SIZE + 2 * measure.FRAME
    assert grid.size == (2 * side + measure.GAP, 6 * side)
    assert grid.getpixel((0, 0)) == (211, 211, 211)
    assert grid.getpixel((0, side)) == (50, 205, 50)


def test_an_untrained_model_generates_no_stars(model, capsys, tmp_path, quiet):
    grid = tmp_path / "grid.png"
    assert measure.main(["--model", str(model), "--steps", str(FEW), "--seeds", "5", "6", "--grid", str(grid)]) == 0
    assert capsys.readouterr().out.splitlines()[-1].split() == ["all", "0/12", "0%", "0/12", "0%"]
    with Image.open(grid) as picture:
        assert picture.size == (2 * (SIZE + 2 * measure.FRAME), 6 * (SIZE + 2 * measure.FRAME))


def test_a_lora_is_measured_beside_the_model_alone(model, lora, capsys, quiet):
    assert measure.main(["--model", str(model), "--lora", str(lora), "--steps", str(FEW), "--seeds", "5"]) == 0
    title, *_, total = capsys.readouterr().out.splitlines()
    assert title.split() == ["without", "a", "LoRA", "with", "model.safetensors"]
    assert total.split().count("0/6") == 4


def test_the_lora_changes_the_pictures(model, lora):
    pipeline = measure.load_model(model)
    prompts = measure.make_prompts([5])[:1]
    before = measure.sample(pipeline, prompts, FEW)[0].picture
    measure.load_lora(pipeline, lora)
    assert measure.sample(pipeline, prompts, FEW)[0].picture.tobytes() != before.tobytes()


def test_the_same_seed_generates_the_same_picture(model):
    prompts = measure.make_prompts([5])[:2]
    first, second = (measure.sample(measure.load_model(model), prompts, FEW) for _ in range(2))
    assert [result.picture.tobytes() for result in first] == [result.picture.tobytes() for result in second]


def test_a_seed_given_twice_is_sampled_as_often_as_the_table_says(model):
    assert len(measure.measure(measure.load_model(model), [5, 5], FEW)) == len(measure.make_prompts([5, 5]))


@pytest.mark.parametrize(
    ("arguments", "sentence"),
    [
        (["--model", "/nowhere"], "There is no model in /nowhere: enter a folder in diffusers' layout with --model."),
        (["--lora", "/nowhere.safetensors"], "There is no LoRA /nowhere.safetensors: enter a .safetensors file with"),
        (["--lora", __file__], "enter a .safetensors file with --lora."),
        (["--grid", "/nowhere/grid.png"], "There is no folder /nowhere for the grid: create it first."),
    ],
)
def test_a_missing_file_is_reported_in_one_sentence(arguments, sentence, capsys, quiet):
    assert measure.main(arguments) == 1
    error = capsys.readouterr().err
    assert sentence in error
    assert len(error.splitlines()) == 1


def test_a_grid_that_cannot_be_written_is_reported_in_one_sentence(model, tmp_path, capsys, quiet):
    assert measure.main(["--model", str(model), "--steps", str(FEW), "--seeds", "5", "--grid", str(tmp_path)]) == 1
    assert f"The grid cannot be written to {tmp_path} (Is a directory)" in capsys.readouterr().err


def test_a_broken_model_is_reported_in_one_sentence(tmp_path, capsys, quiet):
    (tmp_path / "model_index.json").write_text("{")
    assert measure.main(["--model", str(tmp_path)]) == 1
    assert f"The model in {tmp_path} cannot be loaded" in capsys.readouterr().err


@pytest.mark.parametrize("content", [b"no safetensors", b""])
def test_a_broken_lora_is_reported_in_one_sentence(model, tmp_path, capsys, quiet, content):
    file = tmp_path / "broken.safetensors"
    file.write_bytes(content)
    assert measure.main(["--model", str(model), "--lora", str(file), "--steps", str(FEW), "--seeds", "5"]) == 1
    assert f"{file} is not a LoRA for this model" in capsys.readouterr().err


def test_a_file_without_a_lora_is_refused(model, tmp_path):
    save_file({"something.weight": torch.zeros(2, 2)}, tmp_path / "other.safetensors")
    with pytest.raises(measure.Unusable, match="not a LoRA for this model"):
        measure.load_lora(measure.load_model(model), tmp_path / "other.safetensors")


def test_a_lora_for_a_wider_model_is_refused(model, lora, tmp_path):
    doubled = {
        name: torch.cat([weight, weight], dim=1) if name.endswith("lora_down.weight") else weight
        for name, weight in load_file(lora).items()
    }
    save_file(doubled, tmp_path / "wide.safetensors")
    with pytest.raises(measure.Unusable, match="is not a LoRA for this model"):
        measure.load_lora(measure.load_model(model), tmp_path / "wide.safetensors")


def test_measuring_needs_nothing_but_plain_diffusers(model):
    assert type(measure.load_model(model)) is StableDiffusionPipeline
