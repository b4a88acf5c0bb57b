"""Clip skip and caption dropout: what the UNet gets of a caption."""

import copy

import pytest
import torch
from transformers import CLIPTextModel

from engine.builtin.config.check import check
from engine.builtin.config.train_config import SampleConfig
from engine.builtin.families.loading import load_family
from engine.interface.errors import BadConfig
from tests.engine.tiny import Training, make_model, make_pictures, sample

CAPTIONS = ["a red circle", "a star"]


@pytest.fixture(scope="module")
def model(tmp_path_factory):
    """The tiny model with a text encoder of three layers."""
    folder = make_model(tmp_path_factory.mktemp("model"), levels=1)
    encoder = CLIPTextModel.from_pretrained(folder / "text_encoder")
    settings = copy.deepcopy(encoder.config)
    settings.num_hidden_layers = 3
    torch.manual_seed(1)
    CLIPTextModel(settings).save_pretrained(folder / "text_encoder")
    return folder


@pytest.fixture
def training(model, tmp_path):
    pictures = make_pictures(tmp_path / "pictures")

    def make(name="run", **changes):
        return Training(model, pictures, tmp_path / name, **changes)

    return make


def family_of(training, **changes):
    return load_family(training(**changes).config, torch.device("cpu"))


@pytest.mark.parametrize("skip", [0, 1, 2])
def test_clip_skip_leaves_out_the_last_layers_and_normalizes(training, skip):
    family = family_of(training, text_encoder_layer_skip=skip)
    encoder = copy.deepcopy(family.pipeline.text_encoder)
    encoder.encoder.layers = encoder.encoder.layers[: 3 - skip]
    ids = family.pipeline.tokenizer(CAPTIONS, padding="max_length", return_tensors="pt").input_ids
    assert torch.equal(family.encode_captions(CAPTIONS)["hidden"], encoder(ids).last_hidden_state)


def test_leaving_out_every_layer_is_refused(training):
    with pytest.raises(BadConfig, match="the text encoder has 3 layers; choose at most 2"):
        family_of(training, text_encoder_layer_skip=3)


@pytest.mark.parametrize(("model_type", "most"), [("STABLE_DIFFUSION_15", 11), ("STABLE_DIFFUSION_21", 22)])
def test_more_layers_than_published_text_encoders_have_are_refused_by_the_check(model_type, most):
    def refused(skip):
        config = {"concepts": [{"path": "/p"}], "model_type": model_type, "text_encoder_layer_skip": skip}
        samples = [{"text_encoder_1_layer_skip": skip}]
        return [problem.field for problem in check(config | {"samples": samples}) if problem.is_error]

    assert refused(most) == []
    assert refused(most + 1) == ["text_encoder_layer_skip", "samples.0.text_encoder_1_layer_skip"]


def test_a_sample_that_leaves_out_every_layer_fails_alone_with_a_sentence(training):
    samples = [sample("a star", text_encoder_1_layer_skip=3)]
    run = training(samples=samples, sample_after=1, sample_after_unit="EPOCH", epochs=1).run()
    assert len(run.recorder.losses) == 3
    warnings = [arguments[0] for arguments in run.recorder.of("on_warning")]
    assert any("the text encoder has 3 layers; choose at most 2" in warning for warning in warnings)


def test_another_clip_skip_encodes_captions_again_and_keeps_the_pictures(training):
    plain, skipped = family_of(training), family_of(training, text_encoder_layer_skip=1)
    assert plain.caption_identity() != skipped.caption_identity()
    assert plain.picture_identity() == skipped.picture_identity()


def test_a_samples_clip_skip_holds_for_its_negative_prompt_too(training):
    family = family_of(training)
    settings = SampleConfig.from_dict(sample("a red circle", negative_prompt="a star", text_encoder_1_layer_skip=1))
    given = {}
    draw = family.pipeline.__class__.__call__

    def watched(pipeline, **options):
        given.update(options)
        return draw(pipeline, **options)

    family.pipeline.__class__ = type("Watched", (family.pipeline.__class__,), {"__call__": watched})
    family.sample(settings, 1, lambda *_: None)
    skipped = family_of(training, text_encoder_layer_skip=1)
    expected = skipped.encode_captions(["a red circle", "a star"])["hidden"]
    assert torch.allclose(given["prompt_embeds"], expected[:1], atol=1e-5)
    assert torch.allclose(given["negative_prompt_embeds"], expected[1:], atol=1e-5)


@pytest.mark.parametrize(("own", "used"), [(0, 2), (1, 1)])
def test_a_sample_takes_the_clip_skip_of_the_training_unless_it_has_its_own(training, monkeypatch, own, used):
    family, skips = family_of(training, text_encoder_layer_skip=2), []
    hidden = family._hidden
    monkeypatch.setattr(family, "_hidden", lambda captions, skip: skips.append(skip) or hidden(captions, skip))
    family.sample(SampleConfig.from_dict(sample("a star", text_encoder_1_layer_skip=own)), 1, lambda *_: None)
    assert set(skips) == {used}


def dropped(training, probability, **changes):
    """Which captions of each step were zeros."""
    run = training(text_encoder={"dropout_probability": probability, "train": False}, **changes)
    run.trainer.start()
    family, rows = run.trainer.session.family, []
    predict = family.predict

    def watched(latents, text, *rest):
        rows.append([not bool(states.any()) for states in text["hidden"]])
        return predict(latents, text, *rest)

    family.predict = watched
    run.trainer.train()
    return rows


def test_dropped_captions_become_zeros_with_the_given_probability(training):
    rows = dropped(training, 0.3, epochs=40)
    share = sum(sum(row) for row in rows) / sum(len(row) for row in rows)
    assert 0.2 < share < 0.4
    assert rows == dropped(training, 0.3, name="again", epochs=40)


def test_without_dropout_no_caption_is_dropped(training):
    assert not any(any(row) for row in dropped(training, 0.0))
