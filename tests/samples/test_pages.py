"""The gallery across runs, and one sample."""

from __future__ import annotations

import itertools

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext
from django.urls import reverse

from samples.models import Sample
from tests.making import make_run, make_user
from tests.markup import squeezed
from training.models import Run

pytestmark = pytest.mark.django_db
numbers = itertools.count(1)


@pytest.fixture(autouse=True)
def user(client):
    user = make_user()
    client.force_login(user)
    return user


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
    assert "No samples yet" in client.get(reverse("samples")).text


def test_samples_of_all_runs_are_shown_with_prompt_step_and_run(client, run):
    sample = make_sample(run, step=250)
    make_sample(make_run("Moons"), "a moon")
    page = client.get(reverse("samples")).text
    assert "a red star" in page and "step 250" in page and "Moons" in page
    assert sample.get_thumbnail_url() in page


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


@pytest.mark.parametrize(
    ("name", "value"),
    [("run", "nonsense"), ("step_from", "-1"), ("step_to", "9" * 30), ("since", "May"), ("kind", "x"), ("before", "x")],
)
def test_a_filter_that_makes_no_sense_is_told_in_a_sentence(client, name, value):
    answer = client.get(reverse("samples"), {name: value})
    assert answer.status_code == 400 and 'class="alert-text"' in answer.text


def test_one_sample_shows_its_settings_and_leads_to_its_neighbours(client, run):
    earlier, shown, later = (make_sample(run, step=step) for step in (1, 2, 3))
    right = make_sample(run, "a moon", step=2, index=1)
    context = client.get(reverse("sample", args=[shown.pk])).context
    assert (context["earlier"], context["later"]) == (earlier, later)
    assert (context["left"], context["right"]) == (None, right)
    page = client.get(reverse("sample", args=[shown.pk])).text
    assert "7.5" in page and "Negative prompt" not in page


def grid_of(client, run, **query):
    context = client.get(reverse("run-samples", args=[run.pk]), query).context
    return context["columns"], context["rows"]


def test_a_runs_samples_have_steps_down_newest_first_and_prompts_across(client, run):
    for step, index in itertools.product((0, 100, 200), (1, 0)):
        make_sample(run, f"prompt {index}", step, index)
    columns, rows = grid_of(client, run)
    assert [column.prompt for column in columns] == ["prompt 0", "prompt 1"]
    assert [row.step for row in rows] == [200, 100, 0]
    assert "before training" in client.get(reverse("run-samples", args=[run.pk])).text


def test_a_prompt_that_was_not_drawn_at_a_step_leaves_a_gap(client, run):
    make_sample(run, "a", 100, 0), make_sample(run, "b", 100, 1), make_sample(run, "b", 200, 1)
    _, rows = grid_of(client, run)
    assert [len(cell.samples) for cell in rows[0].cells] == [0, 1]


def test_averaged_and_plain_weights_share_a_cell_and_are_told_apart(client, run):
    make_sample(run, step=100), make_sample(run, step=100, is_ema=True)
    _, rows = grid_of(client, run)
    assert [sample.is_ema for sample in rows[0].cells[0].samples] == [True, False]
    page = client.get(reverse("run-samples", args=[run.pk])).text
    assert ">EMA<" in squeezed(page) and ">as trained<" in squeezed(page)


def test_what_was_drawn_by_hand_stands_apart_from_the_grid(client, run):
    make_sample(run, step=100), make_sample(run, "my own", 100, kind="custom")
    columns, _ = grid_of(client, run)
    page = client.get(reverse("run-samples", args=[run.pk])).text
    assert [column.prompt for column in columns] == ["a red star"] and "my own" in page


def queries_of(client, address):
    """How often samples are asked for; what stands on every page is looked up now and then."""
    with CaptureQueriesContext(connection) as asked:
        assert client.get(address).status_code == 200
    return sum("samples_sample" in query["sql"] for query in asked.captured_queries)


def test_a_runs_page_of_samples_asks_as_often_for_many_as_for_few(client, run):
    address = reverse("run-samples", args=[run.pk])
    make_sample(run)
    few = queries_of(client, address)
    for step, index in itertools.product(range(40), range(4)):
        make_sample(run, f"prompt {index}", step, index)
    assert queries_of(client, address) == few < 10


def test_a_part_of_a_samples_page_fills_the_lightbox(client, run):
    part = client.get(reverse("sample", args=[make_sample(run).pk]), headers={"HX-Request": "true"}).text
    assert part.lstrip().startswith("<article") and "7.5" in part


# -- favourites ----------------------------------------------------------------------------------------------------


def test_a_favourite_is_made_and_taken_back_and_says_whose_it_is(client, run, user):
    sample = make_sample(run)
    address = reverse("sample-favourite", args=[sample.pk])
    assert client.post(address, {"on": "1"}).status_code == 403
    user.is_staff = True
    user.save()
    client.post(address, {"on": "1"})
    sample.refresh_from_db()
    assert sample.favourite and sample.favourite_by == user
    client.post(address, {"on": "0"})
    sample.refresh_from_db()
    assert not sample.favourite and sample.favourite_by is None


def test_what_is_drawn_at_the_end_belongs_to_the_last_epoch(client, user):
    run = make_run(status="finished", max_epoch=6)
    sample = run.samples.create(attempt=1, sequence=1, epoch=6, global_step=96, path="/nowhere/a.png")
    assert "epoch 6<" in squeezed(client.get(reverse("run-samples", args=[run.pk])).text)
    assert "<dt>Epoch</dt><dd>6</dd>" in client.get(sample.get_absolute_url()).text


def test_samples_of_steps_that_were_trained_again_are_hidden_and_marked_where_they_are_shown(client, run):
    old = make_sample(run, step=10, superseded=True)
    new = make_sample(run, step=10)
    make_sample(run, step=20)
    _, rows = grid_of(client, run)
    assert [[sample.pk for cell in row.cells for sample in cell.samples] for row in rows][1] == [new.pk]
    assert list(new.series()) == list(Sample.objects.filter(superseded=False))
    page = client.get(reverse("run-samples", args=[run.pk]))
    assert (
        "1 sample was replaced, since the run continued from a backup" in squeezed(page.text)
        and 'href="?old=1"' in page.text
    )
    _, rows = grid_of(client, run, old=1)
    assert {sample.pk for sample in rows[1].cells[0].samples} == {old.pk, new.pk}
    assert "attempt 1, replaced" in squeezed(client.get(reverse("run-samples", args=[run.pk]), {"old": 1}).text)
    assert "step 10, replaced" in squeezed(client.get(reverse("samples")).text)
