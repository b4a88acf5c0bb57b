"""Runs side by side: curves, settings that differ, and samples of one prompt and seed."""

from __future__ import annotations

import json

import pytest
from django.urls import reverse

from samples.models import Sample
from tests.making import make_run, trainable_config
from training.models import Metric, Run

pytestmark = [pytest.mark.django_db, pytest.mark.usefixtures("viewer")]


def measured(name, values, tag="smooth_loss", **fields):
    run = make_run(name, Run.Status.FINISHED, max_step=2, **fields)
    Metric.objects.bulk_create(
        Metric(run=run, attempt=1, tag=tag, step=step, value=value, time=100 + step)
        for step, value in enumerate(values)
    )
    return run


def sampled(run, *steps, prompt="a red star", seed=1):
    for step in steps:
        facts = {"attempt": 1, "path": "/x.png", "settings": {"seed": seed}, "global_step": step}
        Sample.objects.create(run=run, prompt=prompt, sequence=Sample.objects.count() + 1, **facts)


def show(client, *runs, **query):
    return client.get(reverse("compare"), {"runs": ",".join(str(run.pk) for run in runs), **query})


def test_the_curves_are_in_one_chart_in_the_order_of_the_address(client):
    one, two = measured("One", [3.0, 2.0]), measured("Two", [4.0, 1.0, 0.5])
    response = show(client, two, one)
    assert [(line["name"], line["colour"], line["epoch_length"]) for line in response.context["lines"]] == [
        ("Two", 1, 2),
        ("One", 2, 2),
    ]
    assert response.text.count("<polyline") == 2
    assert json.loads(json.dumps(response.context["lines"]))[0]["values"] == [4.0, 1.0, 0.5]


def test_any_metric_may_be_compared_and_nonsense_shows_the_loss(client):
    one, two = measured("One", [1.0]), measured("Two", [2.0])
    measured_rate = Metric(run=two, attempt=1, tag="lr/unet", step=0, value=0.1, time=1)
    measured_rate.save()
    response = show(client, one, two, tag="lr/unet")
    assert [line["name"] for line in response.context["lines"]] == ["Two"]
    assert "run-line-2" in response.text and "run-line-1" not in response.text, "the drawing has the runs' own colours"
    context = show(client, one, two, tag="nonsense", axis="sideways", prompt="99").context
    assert (context["tag"], context["axis"]) == ("smooth_loss", "steps")


def test_metrics_to_compare_are_in_the_order_of_their_numbers(client):
    run, other = measured("One", [1.0], tag="lr/10"), measured("Two", [2.0], tag="lr/2")
    assert show(client, run, other).context["tags"] == ["lr/2", "lr/10"]


def test_only_settings_that_differ_are_listed_with_their_titles(client):
    one = make_run("One", config=trainable_config(learning_rate=0.001))
    two = make_run("Two", config=trainable_config(learning_rate=0.002))
    rows = show(client, one, two).context["differences"]
    assert [(row["path"], row["title"], row["values"]) for row in rows] == [
        ("learning_rate", "Learning rate", ["0.001", "0.002"])
    ]
    assert "the same settings" in show(client, one, make_run("Three", config=one.config)).text


def test_tokens_are_never_shown(client):
    one = make_run("One", config={**trainable_config(), "secrets": {"huggingface_token": "hf_private"}})
    assert "hf_private" not in show(client, one, make_run("Two")).text


def test_samples_of_one_prompt_and_seed_are_at_the_nearest_steps(client):
    one, two, three = make_run("One"), make_run("Two"), make_run("Three")
    sampled(one, 0, 10, 20)
    sampled(two, 9, 26)
    sampled(two, 10, seed=2)
    rows = show(client, one, two, three).context["rows"]
    assert [(row["step"], [sample and sample.global_step for sample in row["samples"]]) for row in rows] == [
        (20, [20, 26, None]),
        (10, [10, 9, None]),
        (0, [0, 9, None]),
    ]


def test_prompts_that_more_runs_share_come_first_and_others_may_be_chosen(client):
    one, two = make_run("One"), make_run("Two")
    sampled(one, 1, prompt="a blue star")
    for run in (one, two):
        sampled(run, 1, prompt="a red star")
    context = show(client, one, two, prompt="1").context
    assert [(one["prompt"], one["runs"]) for one in context["prompts"]] == [("a red star", 2), ("a blue star", 1)]
    assert context["prompt"]["prompt"] == "a blue star"


def test_of_many_steps_some_are_shown_with_the_first_and_the_last(client):
    one, two = make_run("One"), make_run("Two")
    sampled(one, *range(30))
    steps = [row["step"] for row in show(client, one, two).context["rows"]]
    assert len(steps) == 8 and steps[0] == 29 and steps[-1] == 0


@pytest.mark.parametrize("runs", ["", "x,y", "00000000-0000-4000-8000-000000000000", ",,,"])
def test_without_two_runs_it_says_what_to_do(client, runs):
    page = client.get(reverse("compare"), {"runs": runs}).text
    assert "Choose two to eight runs" in page and reverse("runs") in page


def test_eight_are_shown_and_no_more(client):
    runs = [make_run(f"Run {number}") for number in range(10)]
    assert len(show(client, *runs).context["runs"]) == 8
