"""What the form of the built-in engine offers of concepts, masks and kinds of models."""

import pytest

from presets.editor.form import applies, form_of

IMAGE = [spec.path for spec in form_of("builtin").items_of("concepts") if ".image." in spec.path]
TEXT = [spec.path for spec in form_of("builtin").items_of("concepts") if ".text." in spec.path]
CAPS = [path for path in TEXT if ".caps_randomize_" in path]
MASKED = ("masked_training", "unmasked_weight", "normalize_masked_area_loss", "masked_prior_preservation_weight")


def spec(path):
    found = form_of("builtin").spec_of(path)
    assert found
    return found


@pytest.mark.parametrize(
    "path",
    [*IMAGE, *sorted(set(TEXT) - set(CAPS)), *MASKED, "text_encoder_layer_skip", "text_encoder.dropout_probability"],
)
def test_a_field_that_works_is_offered_without_a_note(path):
    assert spec(path).note == ""
    assert [] not in spec(path).applies.values()


def test_capital_letters_have_no_effect_on_a_tokenizer_that_reads_lower_case():
    assert CAPS
    assert all(spec(path).note.endswith("reads upper case as lower case.") for path in CAPS)


def test_masks_have_their_fields_while_they_are_used():
    config = {"masked_training": True, "training_method": "LORA", "model_type": "STABLE_DIFFUSION_15"}
    assert all(applies(spec(path), config) for path in MASKED)
    assert not any(applies(spec(path), config | {"masked_training": False}) for path in MASKED[1:])
    assert not applies(spec("unmasked_probability"), config)
    assert applies(spec("unmasked_probability"), config | {"model_type": "STABLE_DIFFUSION_15_INPAINTING"})


@pytest.mark.parametrize(
    ("path", "values"),
    [
        ("training_method", {"LORA", "FINE_TUNE", "FINE_TUNE_VAE"}),
        ("concepts.*.text.tag_dropout_mode", {"FULL", "RANDOM", "RANDOM WEIGHTED"}),
        ("concepts.*.text.tag_dropout_special_tags_mode", {"NONE", "WHITELIST", "BLACKLIST"}),
        ("concepts.*.text.prompt_source", {"sample", "concept", "filename"}),
    ],
)
def test_choices_can_be_chosen(path, values):
    assert {choice.value for choice in spec(path).choices if choice.supported} == values


def test_inpainting_models_can_be_chosen():
    choices = {choice.value for choice in spec("model_type").choices if choice.supported}
    assert {"STABLE_DIFFUSION_15_INPAINTING", "STABLE_DIFFUSION_20_INPAINTING"} <= choices


def test_lower_case_needs_no_other_switch():
    assert applies(spec("concepts.*.text.caps_randomize_lowercase"), {}, {"text": {"caps_randomize_enable": False}})
