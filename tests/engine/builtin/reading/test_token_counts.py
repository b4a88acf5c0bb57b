"""Captions that are longer than a text encoder reads."""

import json
import shutil
from pathlib import Path

import pytest
from safetensors.torch import save_file
from torch import zeros
from transformers import CLIPTokenizer

from engine.builtin.config.parts import SampleConfig
from engine.builtin.data.concepts import survey
from engine.builtin.data.pictures import PictureIndex
from engine.builtin.data.token_counts import encoders_of, token_problems
from engine.builtin.families.published import CONFIGS
from tests.engine.data import make_config, make_pictures

DEMO = Path("engine/demo")
LIMIT = 24  # of the demo's text encoder, with the tokens of start and end
LONG = "a red star above a green square in the dark night, " * 3 + "with a golden frame"


@pytest.fixture
def model(tmp_path):
    shutil.copytree(DEMO / "model" / "tokenizer", tmp_path / "model" / "tokenizer")
    return tmp_path / "model"


def config_of(folder, model, **changes):
    return make_config(folder, base_model_name=str(model), **changes)


def problems_of(config, tmp_path):
    return token_problems(config, survey(config, PictureIndex(tmp_path)).pictures)


def test_a_caption_that_is_cut_off_is_named_with_its_rest(tmp_path, model):
    folder = make_pictures(tmp_path / "stars", [(64, 64)] * 2)
    (folder / "0.txt").write_text(f"a star\n{LONG}")
    (problem,) = problems_of(config_of(folder, model), tmp_path)
    assert (problem.field, problem.severity) == ("concepts", "warning")
    assert problem.message.startswith(f"1 text is longer than the {LIMIT} tokens that the text encoder reads: 0.png (")
    tokens = CLIPTokenizer.from_pretrained(model / "tokenizer")(LONG).input_ids
    assert (
        f"0.png ({len(tokens)} tokens, after “dark” without “night, a red star above a green square i…”)"
        in problem.message
    )


@pytest.mark.parametrize("words", [LIMIT - 2, LIMIT - 1])
def test_a_caption_may_have_as_many_tokens_as_the_encoder_reads(tmp_path, model, words):
    folder = make_pictures(tmp_path / "stars", [(64, 64)])
    (folder / "0.txt").write_text(" ".join(["star"] * words))
    assert bool(problems_of(config_of(folder, model), tmp_path)) == (words > LIMIT - 2)


@pytest.mark.parametrize(
    "text", ["", "a star", "  A   RED\tstar's 12 — étoile, 夜!! ", LONG, "x" * 300, "🌟 <|endoftext|> a"]
)
def test_tokens_are_counted_as_the_trainer_counts_them(tmp_path, model, text):
    (model / "tokenizer" / "tokenizer.json").unlink()
    (encoder,) = encoders_of(config_of(tmp_path, model))
    known = CLIPTokenizer.from_pretrained(DEMO / "model" / "tokenizer")
    assert encoder.tokenizer.encode(text).ids == known(text).input_ids


def test_prompts_of_samples_are_counted_too(tmp_path, model):
    config = config_of(tmp_path, model)
    config.samples = [
        SampleConfig(prompt="a star"),
        SampleConfig(prompt=LONG),
        SampleConfig(prompt=LONG, enabled=False),
    ]
    (problem,) = token_problems(config, [])
    assert problem.field == "samples.1.prompt"


def test_each_text_encoder_has_its_own_limit(tmp_path, model):
    shutil.copytree(model / "tokenizer", model / "tokenizer_2")
    settings = json.loads((model / "tokenizer_2" / "tokenizer_config.json").read_text())
    (model / "tokenizer_2" / "tokenizer_config.json").write_text(json.dumps(settings | {"model_max_length": 512}))
    config = config_of(tmp_path, model, text_encoder_2_sequence_length=10)
    assert [encoder.limit for encoder in encoders_of(config)] == [LIMIT, 10]
    assert [encoder.limit for encoder in encoders_of(config_of(tmp_path, model))] == [LIMIT, 77]


@pytest.mark.parametrize("content", ["", "{", "[]", '{"model_max_length": 1e30}', '{"model_max_length": "x"}'])
def test_a_tokenizer_without_a_readable_limit_is_not_counted(tmp_path, model, content):
    (model / "tokenizer" / "tokenizer_config.json").write_text(content)
    assert encoders_of(config_of(tmp_path, model)) == []


@pytest.mark.parametrize("name", ["tokenizer.json", "vocab.json"])
def test_a_broken_tokenizer_is_left_to_the_check_of_the_model(tmp_path, model, name):
    if name != "tokenizer.json":
        (model / "tokenizer" / "tokenizer.json").unlink()
    (model / "tokenizer" / name).write_text("{")
    assert encoders_of(config_of(tmp_path, model)) == []


def test_the_tokens_of_a_single_file_are_known_by_its_type(tmp_path):
    (tmp_path / "model.safetensors").write_bytes(b"no header")
    (encoder,) = encoders_of(config_of(tmp_path, tmp_path / "model.safetensors"))
    assert encoder.limit == 77
    # "a photo of a cat", as published with CLIP: 320, 1125, 539, 320, 2368 between start and end
    assert encoder.tokenizer.encode("A photo of a cat").ids == [49406, 320, 1125, 539, 320, 2368, 49407]


def test_a_single_file_of_this_trainer_has_its_own_tokenizer(tmp_path):
    files = {f"tokenizer/{file.name}": file.read_text() for file in (DEMO / "model" / "tokenizer").iterdir()}
    elsewhere = {"tokenizer/../../written": "x", "/written": "x", "tokenizer/..": "x"}
    save_file({"x": zeros(1)}, tmp_path / "own.safetensors", metadata={CONFIGS: json.dumps(files | elsewhere)})
    (encoder,) = encoders_of(config_of(tmp_path, tmp_path / "own.safetensors"))
    assert encoder.limit == LIMIT


def test_the_tokens_of_an_unknown_type_are_not_counted(tmp_path):
    assert encoders_of(config_of(tmp_path, tmp_path / "none", model_type="WUERSTCHEN_2")) == []
