"""The gallery across runs, and one sample."""

from __future__ import annotations

import itertools

import pytest
from django.urls import reverse

from samples.models import Sample
from tests.making import make_run, make_user
from training.models import Run

pytestmark = pytest.mark.django_db
numbers = itertools.count(1)


@pytest.fixture(autouse=True)
def user(client):
    client.force_login(make_user())


@pytest.fixture
def run():
    return make_run(status=Run.Status.RUNNING)


def make_sample(run, prompt="a red star", step=0, index=0, **fields):
    return Sample.objects.create(
        run=run,
        attempt=1,
        sequence=next(numbers),
        path="/tmp/a.png",
        prompt=prompt,
        global_step=step,
        index=index,
        settings={"seed": 42, "cfg_scale": 7.5, "negative_prompt": ""},
        **fields,
    )


def test_no_sample_says_where_they_come_from(client):
    assert "No sample yet" in client.get(reverse("samples")).text


def test_samples_of_all_runs_are_shown_with_prompt_step_and_seed(client, run):
    sample = make_sample(run, step=250)
    make_sample(make_run("Moons"), "a moon")
    page = client.get(reverse("samples")).text
    assert "a red star" in page and "step 250" in page and "seed 42" in page and "Moons" in page
    assert sample.get_file_url() in page


@pytest.mark.parametrize("query", [{"q": "star"}, {"kind": "default", "q": "red"}])
def test_samples_are_found_by_prompt_and_kind(client, run, query):
    make_sample(run)
    make_sample(run, "a moon", kind="custom")
    page = client.get(reverse("samples"), query).text
    assert "a red star" in page and "a moon" not in page


def test_samples_are_found_by_run(client, run):
    make_sample(run)
    make_sample(make_run("Moons"), "a moon")
    assert "a moon" not in client.get(reverse("samples"), {"run": run.pk}).text
    assert client.get(reverse("samples"), {"run": "nonsense"}).status_code == 200


def test_one_sample_shows_its_settings_and_leads_to_its_neighbours(client, run):
    earlier, shown, later = (make_sample(run, step=step) for step in (1, 2, 3))
    right = make_sample(run, "a moon", step=2, index=1)
    context = client.get(reverse("sample", args=[shown.pk])).context
    assert (context["earlier"], context["later"]) == (earlier, later)
    assert (context["left"], context["right"]) == (None, right)
    page = client.get(reverse("sample", args=[shown.pk])).text
    assert "7.5" in page and "Negative prompt" not in page


def test_a_runs_samples_are_in_rows_of_steps_newest_first(client, run):
    for step, index in itertools.product((100, 200), (0, 1)):
        make_sample(run, f"prompt {index}", step, index)
    steps = client.get(reverse("run-samples", args=[run.pk])).context["steps"]
    assert [step for step, _ in steps] == [200, 100]
    assert [sample.index for sample in steps[0][1]] == [0, 1]


def test_a_runs_samples_can_be_held_to_one_prompt(client, run):
    make_sample(run, "a red star", 100, 0)
    make_sample(run, "a moon", 100, 1)
    page = client.get(reverse("run-samples", args=[run.pk]), {"prompt": "a moon"})
    assert [sample.prompt for _, found in page.context["steps"] for sample in found] == ["a moon"]
