"""Name, tags and notes, edited on a run's page; and its timeline."""

from __future__ import annotations

from datetime import timedelta

import pytest
from django.urls import reverse
from django.utils.timezone import now

from tests.making import make_run, make_user
from training.models import Run
from training.runs.timeline import MOST_MOMENTS
from web.templatetags.markdown import markdown

pytestmark = pytest.mark.django_db


@pytest.fixture
def run(client):
    client.force_login(make_user(is_staff=True))
    return make_run(status=Run.Status.RUNNING, notes="old")


def save(client, run, **fields):
    return client.post(reverse("run-about", args=[run.pk]), {"name": run.name, **fields}, follow=True)


def test_name_tags_and_notes_are_edited_on_the_page(client, run):
    page = save(client, run, name="New", tags="a, b,, a", notes="**bold** star").text
    run.refresh_from_db()
    assert (run.name, run.tags, run.notes) == ("New", ["a", "b"], "**bold** star")
    assert "<strong>bold</strong> star" in page and "New</h1>" in page
    assert run.events.get(kind="edited").data == {"name": "New", "tags": ["a", "b"], "notes": "**bold** star"}


def test_unchanged_fields_are_not_recorded(client, run):
    save(client, run, tags="", notes="old")
    assert not run.events.filter(kind="edited").exists()


@pytest.mark.parametrize("name", ["", "x" * 201])
def test_a_name_that_makes_no_sense_is_refused_with_a_sentence(client, run, name):
    assert "alert-danger" in save(client, run, name=name).text
    assert Run.objects.get().name == "Stars"


def test_viewers_may_not_edit(client, run):
    client.force_login(make_user("vera"))
    assert client.post(reverse("run-about", args=[run.pk]), {"name": "x"}).status_code == 403


@pytest.mark.parametrize(
    "text",
    [
        "<script>alert(1)</script>",
        "[x](javascript:alert(1))",
        '<img src=x onerror="alert(1)">',
        "![x](https://elsewhere.example/x.png)",
        "[x](data:text/html;base64,PHNjcmlwdD4=)",
    ],
)
def test_markdown_runs_and_fetches_nothing(text):
    html = markdown(text)
    assert not any(part in html for part in ("<script", "<img", 'href="javascript', 'href="data'))


def test_markdown_is_written_as_html():
    html = markdown("# Title\n\n- one\n- `two`\n\n[site](https://example.org)")
    assert "<h3>Title</h3>" in html and "<code>two</code>" in html
    assert '<a href="https://example.org" rel="nofollow noopener">site</a>' in html


def moments(client, run, **query):
    return client.get(reverse("run-timeline", args=[run.pk]), query)


def test_the_timeline_is_filtered_by_kind_and_turned_around(client, run):
    begin = now()
    run.events.create(kind="warning", data={"message": "it is hot"}, at=begin)
    run.events.create(kind="edited", data={"name": "New"}, at=begin + timedelta(seconds=1))
    run.commands.create(attempt=1, kind="backup", requested_at=begin + timedelta(seconds=2))
    kinds = [moment.kind for moment in moments(client, run).context["moments"]]
    assert kinds == ["backup", "edited", "warning"]
    assert [one.kind for one in moments(client, run, order="oldest").context["moments"]] == kinds[::-1]
    assert [one.kind for one in moments(client, run, kind="commands").context["moments"]] == ["backup"]
    assert [one.kind for one in moments(client, run, kind=["troubles", "edits"]).context["moments"]] == kinds[1:]
    assert "No events of this kind" in moments(client, run, kind="files").text
    assert moments(client, run, kind="nonsense", order="x", beyond="y").status_code == 200


def test_the_timeline_writes_several_values_as_a_list(client, run):
    save(client, run, tags="a, <b>", notes="old")
    assert "tags: a, &lt;b&gt;" in moments(client, run).text


def test_the_timeline_shows_a_file_in_few_words_and_more_in_its_details(client, run):
    facts = {
        "kind": "backup",
        "path": "/data/x/backup-96",
        "global_step": 96,
        "size": 23270132,
        "sha256": "ab" * 32,
    }
    run.events.create(kind="artifact", data=facts)
    run.events.create(kind="removed", data={"path": "/data/runs/x/backup-20", "why": "Newer ones have come."})
    run.commands.create(attempt=1, kind="sample_custom", arguments={"prompt": "a star", "seed": 7, "frames": 1})
    asked, removed, written = moments(client, run).context["moments"]
    assert (asked.what, asked.text) == ("Generate", "prompt: a star · seed: 7")
    assert removed.text == "backup-20 · Newer ones have come."
    assert written.text == "backup · step 96 · 22.2\xa0MB · backup-96"
    assert "/data/x/backup-96" in written.details and "ab" * 32 in written.details


def test_a_long_timeline_has_more_pages_and_is_divided_by_attempts(client, run):
    Run.objects.update(attempt=2)
    begin = now()
    for number in range(MOST_MOMENTS + 30):
        at = begin + timedelta(seconds=number)
        run.events.create(attempt=1 + number // 200, kind="warning", data={"message": f"hot {number}"}, at=at)
    first = moments(client, run)
    assert first.text.count("timeline-attempt") == 2
    rest = client.get(f"{reverse('run-timeline', args=[run.pk])}?{first.context['further']}")
    assert [one.text for one in rest.context["moments"]] == [f"hot {number}" for number in range(29, -1, -1)]
    assert rest.context["further"] == ""
