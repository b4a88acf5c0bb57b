"""Samples of one's own: what a form asks for."""

from __future__ import annotations

import re

import pytest
from django.urls import reverse

from tests.making import make_run
from training.runs import own_samples as draws
from web.errors import BadInput

pytestmark = pytest.mark.django_db


def test_a_seed_that_is_kept_counts_up_over_several_pictures():
    asked = draws.requested_settings({"prompt": "a star", "seed": "7", "count": "3"})
    assert [one["seed"] for one in asked] == [7, 8, 9]


@pytest.mark.parametrize("form", [{}, {"seed": "7", "by_chance": "1"}])
def test_without_a_seed_each_picture_has_a_random_seed(form):
    asked = draws.requested_settings({"prompt": "a star", "count": "2", **form})
    assert [one.get("random_seed") for one in asked] == [True, True] and "seed" not in asked[0]


def test_each_line_is_a_picture_where_that_is_wished():
    form = {"prompt": "a star\n\na moon ", "each_line": "1"}
    assert [one["prompt"] for one in draws.requested_settings(form)] == ["a star", "a moon"]
    assert len(draws.requested_settings({"prompt": "a star\na moon"})) == 1


def test_a_shape_gives_the_size_unless_one_was_typed():
    assert draws.requested_settings({"prompt": "x", "aspect": "576x448"})[0]["width"] == 576
    assert draws.requested_settings({"prompt": "x", "aspect": "576x448", "width": "64"})[0]["width"] == 64


@pytest.mark.parametrize(
    "form", [{"count": "0"}, {"count": "17"}, {"count": "x"}, {"aspect": "wide"}, {"seed": "x"}, {"width": "1e3"}]
)
def test_bad_values_are_refused_by_field(form):
    with pytest.raises(BadInput) as refused:
        draws.requested_settings({"prompt": "a star", **form})
    assert list(refused.value.errors) == list(form)


@pytest.mark.parametrize(("resolution", "first", "wide"), [("512", "512x512", "704x384"), ("32", "32x32", "40x24")])
def test_shapes_have_as_many_pixels_as_the_run_trains_on(resolution, first, wide):
    run = make_run()
    run.config["resolution"] = resolution
    values = [value for value, _ in draws.aspects(run)]
    assert values[0] == first and values[5] == wide


def test_several_samples_are_requested_at_once_and_the_page_shows_the_result_of_each(client, trainer):
    run = make_run(status="running")
    form = {"prompt": "a star\na moon", "each_line": "1", "count": "2", "seed": "5"}
    client.post(reverse("run-action", args=[run.pk, "sample-custom"]), form)
    asked = [(one.arguments["prompt"], one.arguments["seed"]) for one in run.commands.all()]
    assert asked == [("a star", 5), ("a star", 6), ("a moon", 5), ("a moon", 6)]
    page = client.get(reverse("run-samples", args=[run.pk])).text
    assert page.count("pill-requested") == 4
    assert [one["prompt"] for one in draws.recent(trainer)] == ["a moon", "a star"]


def test_one_refused_sample_refuses_all(client, trainer):
    run = make_run(status="running")
    answer = client.post(
        reverse("run-action", args=[run.pk, "sample-custom"]),
        {"prompt": "a star", "count": "2", "width": "9999"},
        headers={"HX-Request": "true"},
    )
    assert answer.status_code == 400 and not run.commands.exists()


def test_a_prompt_of_before_fills_the_form_without_scripts_too(client, trainer):
    run = make_run(status="running")
    client.post(reverse("run-action", args=[run.pk, "sample-custom"]), {"prompt": "a star", "seed": "41"})
    page = client.get(reverse("run-samples", args=[run.pk]), {"again": "0"}).text
    assert ">a star</textarea>" in page and 'value="41"' in page


LIKE = {"width": 64, "height": 48, "seed": 7, "diffusion_steps": 20, "cfg_scale": 0.0, "noise_scheduler": "DDIM"}


def draw_a_sample(run):
    path = f"{run.folder}/workspace/samples/star.png"
    return run.samples.create(attempt=1, sequence=1, index=0, prompt="a red star", path=path, settings=LIKE)


def test_a_sample_fills_the_form_with_its_settings_to_generate_it_again(client, trainer):
    run = make_run(status="running")
    sample = draw_a_sample(run)
    address = f"{reverse('run-samples', args=[run.pk])}?like={sample.pk}"
    assert f'href="{address}#draw"' in client.get(sample.get_absolute_url()).text
    page = client.get(address).text
    assert 'id="draw" hx-morph-skip open' in page and ">a red star</textarea>" in page
    assert '<option value="DDIM" selected>' in page
    for name in ("width", "height", "seed", "diffusion_steps", "cfg_scale"):
        assert re.search(rf'name="{name}"[^>]* value="{LIKE[name]}"', page), name
    empty = client.get(f"{address}x").text
    assert 'id="draw" hx-morph-skip>' in empty


@pytest.mark.parametrize(("status", "why"), [("finished", "The run has ended"), ("queued", "not training")])
def test_a_sample_that_cannot_be_generated_again_says_why(client, trainer, status, why):
    page = client.get(draw_a_sample(make_run(status=status)).get_absolute_url()).text
    assert "It cannot be generated again now:" in page and why in page and "?like=" not in page


def test_the_chosen_sampler_is_requested(client, trainer):
    run = make_run(status="running")
    client.post(reverse("run-action", args=[run.pk, "sample-custom"]), {"prompt": "x", "noise_scheduler": "DPMPP"})
    assert run.commands.get().arguments["noise_scheduler"] == "DPMPP"
    client.post(reverse("run-action", args=[run.pk, "sample-custom"]), {"prompt": "x", "noise_scheduler": "magic"})
    assert run.commands.count() == 1
