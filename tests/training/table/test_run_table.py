"""The table of runs: what it finds, in which order, kept views, editing in place, and many runs at once."""

from __future__ import annotations

import csv
import io
import math
from datetime import timedelta

import pytest
from django.urls import reverse
from django.utils.timezone import now

from tests.making import make_preset, make_run, make_user, trainable_config
from tests.queries import queries_of
from training.metrics.loss_lines import draw_loss
from training.metrics.summaries import sum_up
from training.models import Metric, Run, RunSummary, SavedView
from training.runs.notes import RunNotes

pytestmark = pytest.mark.django_db


def names(client, **query):
    return [run.name for run in client.get(reverse("runs"), query).context["page"]]


def bulk(client, verb, *runs, **data):
    return client.post(reverse("runs-bulk"), {"do": verb, "run": [run.pk for run in runs], **data})


@pytest.mark.parametrize("tag", ["größer", 'in "quotes"', "100 %", "under_score", "back\\slash", "星"])
def test_a_tag_is_found_whatever_letters_it_has_and_no_other_with_it(client, trainer, tag):
    make_run("Tagged", tags=["first", tag])
    make_run("Other", tags=["underXscore", "100 of", "first"])
    assert [run.name for run in client.get(reverse("runs"), {"tag": tag}).context["page"]] == ["Tagged"]


def test_words_are_found_in_name_notes_tags_and_config(client, trainer):
    make_run("Fox", notes="too dark\nin the end")
    make_run("Teapot", tags=["Client A"])
    make_run("Castle", config=trainable_config(learning_rate=0.125))
    for words, found in (
        ("FOX", "Fox"),
        ("dark end", "Fox"),
        ("client a", "Teapot"),
        ("learning_rate=0.125", "Castle"),
    ):
        assert names(client, q=words) == [found]
    assert names(client, q="fox teapot") == []


def test_edited_text_is_found_at_once(client, trainer):
    run = make_run("Fox")
    RunNotes(trainer).edit_run(run, {"notes": "Sharp at last"})
    assert names(client, q="sharp") == ["Fox"]


def test_a_token_in_a_config_cannot_be_searched_for(client, trainer):
    make_run("Fox", config={**trainable_config(), "secrets": {"huggingface_token": "hf_private"}})
    assert names(client, q="hf_private") == []


@pytest.mark.parametrize(
    ("query", "found"),
    [
        ({"status": "failed"}, ["Broken"]),
        ({"status": ["failed", "queued"]}, ["Broken", "Waiting"]),
        ({"status": "active"}, ["Going"]),
        ({"tag": "Red"}, ["Going"]),
        ({"tag": "re"}, []),
        ({"person": "grace"}, ["Broken"]),
        ({"model": "STABLE_DIFFUSION_21"}, ["Waiting"]),
        ({"method": "LORA"}, ["Waiting"]),
        ({"from": "2025-01-02", "to": "2025-01-02"}, ["Broken"]),
        ({"from": "nonsense", "preset": "x", "status": "none", "sort": "?", "page": "x"}, None),
        ({"q": "go\x00ing"}, ["Going"]),
    ],
)
def test_the_table_is_filtered(client, trainer, query, found):
    made = now()
    grace = make_user("grace")
    broken = make_run("Broken", Run.Status.FAILED, owner=grace)
    Run.objects.filter(pk=broken.pk).update(created_at="2025-01-02T23:30:00Z")
    make_run("Going", Run.Status.RUNNING, tags=["red"], created_at=made)
    other = trainable_config(model_type="STABLE_DIFFUSION_21", training_method="LORA")
    make_run("Waiting", config=other, created_at=made - timedelta(days=1))
    assert sorted(names(client, **query)) == (["Broken", "Going", "Waiting"] if found is None else found)


def test_a_preset_is_filtered_by(client, trainer):
    preset = make_preset()
    make_run("Of it", preset=preset)
    make_run("Of none")
    assert names(client, preset=preset.pk) == ["Of it"]


def test_favourites_are_each_users_own(client, trainer):
    run, other = make_run("Mine"), make_run("Hers")
    other.favourite_of.add(make_user("grace"))
    client.post(reverse("run-favourite", args=[run.pk]), {"favourite": "true"})
    assert names(client, favourite="1") == ["Mine"]
    client.post(reverse("run-favourite", args=[run.pk]), {"favourite": "false"})
    assert names(client, favourite="1") == []


@pytest.mark.parametrize(
    ("sort", "order"),
    [
        ("loss", ["low", "high", "unknown"]),
        ("-loss", ["high", "low", "unknown"]),
        ("name", ["high", "low", "unknown"]),
        ("time", ["low", "high", "unknown"]),
        ("-steps", ["high", "low", "unknown"]),
        ("", ["unknown", "low", "high"]),
        ("date", ["high", "low", "unknown"]),
    ],
)
def test_the_table_is_sorted_with_the_unknown_last(client, trainer, sort, order):
    begun = now() - timedelta(hours=3)
    facts = {"started_at": begun, "created_at": begun}
    make_run("high", Run.Status.FINISHED, smooth_loss=0.9, global_step=9, ended_at=now(), **facts)
    facts["created_at"] = begun + timedelta(minutes=1)
    make_run("low", Run.Status.FINISHED, smooth_loss=0.1, global_step=5, ended_at=begun, **facts)
    make_run("unknown")
    assert names(client, sort=sort) == order


@pytest.mark.parametrize("sort", ["status", "preset", "model", "method", "person", "-nonsense"])
def test_every_column_sorts(client, trainer, sort):
    make_run("Stars")
    assert names(client, sort=sort) == ["Stars"]


def test_a_head_turns_the_order_around_and_says_which_it_is(client, trainer):
    make_run("Stars")
    page = client.get(reverse("runs"), {"sort": "loss", "q": "stars"}).text
    assert 'aria-sort="ascending"' in page
    assert "?q=stars&amp;sort=-loss" in page


def test_the_table_has_pages_that_keep_its_filters(client, trainer):
    for number in range(53):
        make_run(f"Run {number:02}", tags=["many"])
    page = client.get(reverse("runs"), {"page": 2, "sort": "name", "tag": "many"}).text
    assert "Run 52" in page and "Run 00" not in page
    assert "?page=1&amp;sort=name&amp;tag=many" in page


def test_the_statuses_are_counted_within_the_other_filters(client, trainer):
    make_run("Fox", Run.Status.FINISHED)
    make_run("Fox again", Run.Status.FAILED)
    make_run("Moons", Run.Status.FAILED)
    tabs = client.get(reverse("runs"), {"q": "fox", "status": "failed"}).context["tabs"]
    assert [(tab["label"], tab["count"], tab["chosen"]) for tab in tabs] == [
        ("All", 2, False),
        ("finished", 1, False),
        ("failed", 1, True),
    ]


def test_the_number_of_queries_does_not_grow_with_the_runs(client, trainer):
    make_run("First", preset=make_preset(), owner=trainer, tags=["a"])
    few = queries_of(client, reverse("runs"))
    for number in range(20):
        make_run(f"Run {number}", Run.Status.FINISHED, owner=make_user(f"user{number}"), tags=[f"tag{number}"])
    assert len(queries_of(client, reverse("runs"))) == len(few)


def test_nothing_that_is_long_is_read_for_the_table(client, trainer):
    make_run("Stars")
    table = next(sql for sql in queries_of(client, reverse("runs")) if "is_favourite" in sql)
    assert '"training_runsummary"."words"' not in table and '"training_run"."config"' not in table


def line_of(values, summed=False):
    """What is drawn of a run with these losses."""
    run = make_run("Stars", Run.Status.FINISHED)
    Metric.objects.bulk_create(
        Metric(run=run, attempt=1, tag="smooth_loss", step=step, value=value, time=step)
        for step, value in enumerate(values)
    )
    if summed:
        sum_up(run, 0)
    draw_loss(run)
    return RunSummary.objects.get(run=run).loss_line


def test_a_small_loss_line_is_shown_with_its_run(client, trainer):
    line = line_of(range(1000, 0, -1))
    assert len(line) == 40 and line[0] == 988 and line == sorted(line, reverse=True)
    assert "<polyline" in client.get(reverse("runs")).text


def test_the_line_of_a_long_run_is_its_mean_in_equally_long_stretches():
    losses = [1 + math.sin(step / 900) + (step % 7) / 10 for step in range(12_000)]
    means = [sum(losses[begin : begin + 300]) / 300 for begin in range(0, 12_000, 300)]
    assert line_of(losses, summed=True) == pytest.approx(means, abs=0.02)
    assert line_of(losses) == pytest.approx(means, rel=1e-4)


def test_the_empty_table_says_what_to_do(client, trainer):
    page = client.get(reverse("runs")).text
    assert "No runs yet" in page and reverse("new-run") in page
    assert "Clear the filters" in client.get(reverse("runs"), {"q": "nothing"}).text


# -- views ---------------------------------------------------------------------------------------------------------


def test_a_view_keeps_filters_and_order_but_no_page(client, trainer):
    data = {"name": "Failed", "query": "status=failed&sort=-loss&page=3&next=//evil"}
    response = client.post(reverse("save-view"), data)
    assert response.url == "/runs/?status=failed&sort=-loss"
    page = client.get(response.url).text
    assert "Failed" in page and "/runs/?status=failed&amp;sort=-loss" in page


def test_a_view_of_the_same_name_takes_the_olds_place_and_may_be_deleted(client, trainer):
    for query in ("status=failed", "status=queued"):
        client.post(reverse("save-view"), {"name": "Mine", "query": query})
    view = SavedView.objects.get()
    assert view.query == "status=queued"
    client.post(reverse("delete-view", args=[view.pk]))
    assert not SavedView.objects.exists()


def test_a_user_cannot_see_or_delete_another_user_s_views(client, viewer):
    view = SavedView.objects.create(user=make_user("grace"), name="Hers", query="q=x")
    assert "Hers" not in client.get(reverse("runs")).text
    assert client.post(reverse("delete-view", args=[view.pk])).status_code == 404


def test_a_view_needs_a_name(client, trainer):
    page = client.post(reverse("save-view"), {"name": " ", "query": "q=x"}, follow=True).text
    assert "Enter a name" in page and not SavedView.objects.exists()


# -- editing in place ----------------------------------------------------------------------------------------------


def test_name_and_tags_are_edited_in_their_row(client, trainer):
    run = make_run("Stars")
    address, htmx = reverse("run-edit", args=[run.pk]), {"HX-Request": "true"}
    form = client.get(address, headers=htmx).text
    assert "<html" not in form and 'value="Stars"' in form
    row = client.post(address, {"name": "Red stars", "tags": "red, best ,red,"}, headers=htmx).text
    assert "Red stars" in row and "<html" not in row
    run.refresh_from_db()
    assert (run.name, run.tags) == ("Red stars", ["red", "best"])


def test_an_edit_works_without_scripts_and_leads_back_to_the_table_as_it_was(client, trainer):
    run = make_run("Stars")
    address = reverse("run-edit", args=[run.pk])
    assert "<html" in client.get(address).text
    assert client.post(address, {"name": "New", "next": "/runs/?q=new"}).url == "/runs/?q=new"
    assert client.post(address, {"name": "New", "next": "https://evil.example/"}).url == "/runs/"


def test_a_run_keeps_a_name(client, trainer):
    run = make_run("Stars")
    response = client.post(reverse("run-edit", args=[run.pk]), {"name": " "}, headers={"HX-Request": "true"})
    assert response.status_code == 400 and "Enter a name" in response.text


def test_a_viewer_edits_nothing(client, viewer):
    run = make_run("Stars")
    assert client.post(reverse("run-edit", args=[run.pk]), {"name": "New"}).status_code == 403
    assert bulk(client, "delete", run, sure=1).status_code == 403
    assert reverse("run-edit", args=[run.pk]) not in client.get(reverse("runs")).text


# -- many at once --------------------------------------------------------------------------------------------------


def test_nothing_happens_before_it_is_confirmed(client, trainer):
    ended, running = make_run("Old", Run.Status.FINISHED), make_run("Going", Run.Status.RUNNING)
    page = bulk(client, "delete", ended, running).text
    assert "1 run will be deleted" in page and "1 other run has not ended and is kept." in page
    assert Run.objects.count() == 2
    bulk(client, "delete", ended, running, sure=2)
    assert list(Run.objects.all()) == [running]


@pytest.mark.parametrize(
    ("verb", "status", "after"),
    [("stop", Run.Status.RUNNING, Run.Status.STOPPING), ("cancel", Run.Status.QUEUED, Run.Status.CANCELLED)],
)
def test_many_are_stopped_or_cancelled(client, trainer, verb, status, after):
    runs = [make_run(f"Run {number}", status) for number in range(3)]
    bulk(client, verb, *runs, sure=3)
    assert set(Run.objects.values_list("status", flat=True)) == {after}


def test_many_are_tagged_and_untagged(client, trainer):
    runs = [make_run("One", tags=["a"]), make_run("Two")]
    assert "The tag will be added to 2 runs" in bulk(client, "tag", *runs, sure=2).text, "without a tag it asks for one"
    bulk(client, "tag", *runs, sure=2, tag="best")
    assert [run.tags for run in Run.objects.order_by("name")] == [["a", "best"], ["best"]]
    bulk(client, "untag", *runs, sure=2, tag="best")
    assert [run.tags for run in Run.objects.order_by("name")] == [["a"], []]


def test_all_matching_runs_are_chosen_and_new_matches_need_another_confirmation(client, trainer):
    for number in range(60):
        make_run(f"Old {number}", Run.Status.FAILED)
    make_run("Good", Run.Status.FINISHED)
    data = {"do": "favourite", "all": "1", "query": "status=failed"}
    assert "60 runs will be added to your favourites" in client.post(reverse("runs-bulk"), data).text
    make_run("Too", Run.Status.FAILED)
    assert "61 runs will be added to your favourites" in client.post(reverse("runs-bulk"), {**data, "sure": "60"}).text
    client.post(reverse("runs-bulk"), {**data, "sure": "61"})
    assert trainer.favourite_runs.count() == 61 and not trainer.favourite_runs.filter(name="Good")


def test_an_empty_selection_is_reported(client, trainer):
    page = client.post(reverse("runs-bulk"), {"do": "delete", "run": ["x"]}, follow=True).text
    assert "No run is selected" in page


def test_up_to_eight_are_compared(client, viewer):
    runs = [make_run(f"Run {number}") for number in range(9)]
    assert bulk(client, "compare", runs[0], runs[1]).url.startswith("/compare/?runs=")
    assert bulk(client, "compare", *runs).url.startswith("/runs/")
    assert bulk(client, "compare", runs[0]).url.startswith("/runs/")


def test_the_table_goes_out_as_csv_and_starts_no_formula(client, viewer):
    make_run("=1+1", Run.Status.FINISHED, tags=["a", "b"], smooth_loss=0.5, owner=viewer)
    make_run("Moons")
    response = client.get(reverse("runs-export"), {"status": "finished"})
    rows = list(csv.DictReader(io.StringIO(response.text)))
    assert [(row["name"], row["tags"], row["smooth_loss"], row["owner"]) for row in rows] == [
        ("'=1+1", "a, b", "0.5", "vera")
    ]
    assert response["Content-Disposition"].endswith('.csv"')
