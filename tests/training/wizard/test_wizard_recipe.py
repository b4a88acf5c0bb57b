"""The wizard's recipe: it fits memory and time, is valid for its engine, and follows from the answers."""

from __future__ import annotations

import itertools

import pytest
from django.conf import settings
from hypothesis import given
from hypothesis import settings as hypothesis_settings
from hypothesis import strategies as st

from engine.builtin.config.train_config import TrainConfig
from engine.builtin.estimates.memory import GIB, estimate_memory
from presets.config import configs
from training.wizard.families import FAMILIES, Device, tiny_family
from training.wizard.recipe import make_recipe
from training.wizard.training_plan import KINDS, USABLE, Answers, Pictures, choose
from web.errors import BadInput

TINY = tiny_family(64, 16)
ALL = [*FAMILIES.values(), TINY]
BUILTIN = [FAMILIES[key] for key in ("sd15", "sd21", "sd21-base")]
GPUS = [Device("cuda", 6.0), Device("cuda", 12.0, "NVIDIA GeForce RTX 3060"), Device("cuda", 80.0, "NVIDIA H100")]
DEVICES = [*GPUS, Device("cuda", 11.0, "NVIDIA GeForce GTX 1080 Ti"), Device("cpu", 16.0, "CPU", 2)]
MINUTES = [None, 20, 60, 480, 5000]


def pictures(count=20, size=(1200, 800), captions=False):
    folder = settings.DATA_DIR / "datasets" / "wizard"
    folder.mkdir(parents=True, exist_ok=True)
    texts = tuple(f"picture {number}" for number in range(min(count, 9))) if captions else ()
    return Pictures(str(folder), count, count * captions, (size,) * min(count, 50), texts)


def answers(family=TINY, device=GPUS[1], minutes=60, kind="person", word="anna", class_word="person", **shape):
    caption_file = settings.DATA_DIR / "datasets" / "anna.txt"
    caption_file.touch()
    base_model = str(settings.DEMO_DIR / "model")
    own = {"class_word": class_word, "caption_file": str(caption_file)}
    return Answers(pictures(**shape), kind, word, family, base_model, device, minutes, **own)


def recipe(*given, **changes):
    """The recipe; None if the wizard refuses these answers with a sentence."""
    try:
        return make_recipe(answers(*given, **changes))
    except BadInput as problem:
        assert problem.errors.keys() <= {"memory", "time"}
        assert str(problem).endswith((".", "!"))
        return None


@pytest.mark.parametrize(("family", "kind"), list(itertools.product([*BUILTIN, TINY], KINDS)))
def test_every_combination_is_valid_for_the_built_in_engine(family, kind):
    for device, minutes, captions in itertools.product(DEVICES, MINUTES, (False, True)):
        made = recipe(family, device, minutes, kind, captions=captions)
        assert made is not None or family is not TINY
        if made is not None:
            assert [one for one in configs.validate(made.config) if one.field] == [], (device, minutes)


@pytest.mark.parametrize("family", ALL, ids=lambda family: family.key)
def test_every_recipe_fits_memory_and_time(family):
    for device, minutes, count in itertools.product(DEVICES, MINUTES, (4, 20, 300)):
        if made := recipe(family, device, minutes, count=count):
            assert made.memory <= device.memory * USABLE
            assert minutes is None or made.seconds <= minutes * 60


@pytest.mark.parametrize("family", ALL, ids=lambda family: family.key)
def test_every_recipe_has_only_known_fields_and_choices(family):
    made = recipe(family, Device("cuda", 80.0, "NVIDIA H100"), 480)
    words = ("must be", "is not one of its choices", "is not a known setting")
    assert not [one for one in configs.validate(made.config) if any(word in one.message for word in words)]


@hypothesis_settings(max_examples=60, deadline=None)
@given(
    family=st.sampled_from(ALL),
    memory=st.floats(1, 200),
    minutes=st.one_of(st.none(), st.floats(0.1, 10_000)),
    kind=st.sampled_from(sorted(KINDS)),
    count=st.integers(4, 5000),
    size=st.tuples(st.integers(1, 9000), st.integers(1, 9000)),
    captions=st.booleans(),
)
def test_any_answers_give_a_recipe_within_limits_or_a_sentence(family, memory, minutes, kind, **pictures):
    made = recipe(family, Device("cuda", memory), minutes, kind, **pictures)
    if made is not None:
        assert made.memory <= memory * USABLE
        assert minutes is None or made.seconds <= minutes * 60
        assert made.config["epochs"] >= 1
        assert all(reason.endswith(".") for reason in made.reasons)


@pytest.mark.parametrize("family", BUILTIN, ids=lambda family: family.key)
def test_the_memory_equals_the_estimate_of_the_preflight(family):
    for device, kind in itertools.product(DEVICES, KINDS):
        if made := recipe(family, device, 5000, kind):
            shown = estimate_memory(TrainConfig.from_dict(made.config), None, device.is_gpu)
            assert made.memory == pytest.approx(shown.total / GIB, rel=0.01), (device, kind)


def test_more_pictures_are_trained_longer():
    few, many = (choose(answers(FAMILIES["sd15"], GPUS[2], 480, count=count)).views for count in (10, 40))
    assert many > few


def test_a_night_does_not_overfit_with_needless_steps():
    hour, night = (choose(answers(FAMILIES["sd15"], GPUS[2], minutes)).views for minutes in (60, 480))
    assert hour == night


def test_with_little_time_the_resolution_drops_before_the_run_gets_too_short():
    short = choose(answers(FAMILIES["sd21"], GPUS[0], 15))
    assert short.resolution < 768


def test_small_pictures_are_not_enlarged():
    assert recipe(FAMILIES["sd15"], size=(400, 380)).config["resolution"] == "384"


def test_a_gpu_without_bfloat16_computes_in_float16():
    made = recipe(FAMILIES["sd15"], Device("cuda", 11.0, "NVIDIA GeForce GTX 1080 Ti"))
    assert (made.config["train_dtype"], made.config["unet"]["weight_dtype"]) == ("FLOAT_16", "FLOAT_16")


def test_little_memory_turns_checkpointing_on_and_much_memory_turns_it_off():
    small, large = (recipe(FAMILIES["sd15"], Device("cuda", size)).config["unet"] for size in (5.0, 24.0))
    assert (small["gradient_checkpointing"], large["gradient_checkpointing"]) == (True, False)


def test_a_refused_model_names_the_memory_that_it_needs():
    with pytest.raises(BadInput, match=r"FLUX.1 dev needs about \d+ GB, and this device has 6: choose a smaller"):
        make_recipe(answers(FAMILIES["flux"], GPUS[0]))


def test_the_time_that_the_error_suggests_is_enough():
    with pytest.raises(BadInput) as refused:
        make_recipe(answers(FAMILIES["sd15"], DEVICES[-1], 5))
    number, unit = str(refused.value).split("at least ")[1].rstrip(".").split()
    minutes = int(number) * (60 if unit == "hours" else 1)
    assert recipe(FAMILIES["sd15"], DEVICES[-1], minutes) is not None


def test_pictures_of_many_shapes_are_trained_one_at_a_time_and_none_is_skipped():
    shapes = tuple((600 + 150 * number, 600) for number in range(9))
    made = answers(FAMILIES["sd15"], GPUS[2], count=9)
    mixed = Answers(**{**vars(made), "pictures": Pictures(made.pictures.folder, 9, 0, shapes)})
    plan = choose(mixed)
    assert (plan.batch, plan.accumulation, plan.per_epoch) == (1, 2, 9)


def test_own_captions_become_sample_prompts():
    prompts = [sample["prompt"] for sample in recipe(captions=True).config["samples"]]
    assert prompts == ["picture 0", "picture 3", "picture 6"]


def test_without_captions_the_shared_words_are_in_prompts_and_caption():
    made = recipe(word="zwx")
    assert made.caption == "a photo of zwx person"
    assert all("zwx" in sample["prompt"] for sample in made.config["samples"])


def test_the_recipe_uses_nothing_of_django_but_translation():
    source = "".join((settings.BASE_DIR / f"training/wizard/{name}.py").read_text() for name in PURE)
    assert "django" not in source.replace("from django.utils.translation import", "")


PURE = ("families", "training_plan", "memory_fit", "recipe", "reasons", "words")
