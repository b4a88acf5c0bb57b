"""The gallery: stretches of samples, and what is done with those that are ticked."""

from __future__ import annotations

import io
from datetime import timedelta
from zipfile import ZipFile

import pytest
from django.http import QueryDict
from django.urls import reverse
from django.utils.timezone import now

from samples import gallery
from samples.models import Sample
from tests.api import content
from tests.making import make_run, make_user
from tests.samples.test_pages import queries_of

pytestmark = pytest.mark.django_db


@pytest.fixture(autouse=True)
def user(client):
    user = make_user(is_staff=True)
    client.force_login(user)
    return user


def make_samples(count, run=None, **fields):
    run = run or make_run()
    begin, at = Sample.objects.count(), now()
    return Sample.objects.bulk_create(
        Sample(
            run=run,
            attempt=1,
            sequence=begin + number,
            path=str(run.folder / f"{number}.png"),
            prompt=f"star {number}",
            global_step=number,
            created_at=at - timedelta(minutes=number // 7),  # several share their moment
            **fields,
        )
        for number in range(count)
    )


def walk(query=""):
    """The stretches from the newest to the last, as links lead on."""
    found = []
    while True:
        found.append(gallery.stretch(QueryDict(query)))
        query = found[-1].next_query
        if not query:
            return found


def test_links_lead_through_all_samples_once():
    made = make_samples(150)
    seen = [sample.pk for stretch in walk() for sample in stretch.samples]
    assert len(seen) == 150 and set(seen) == {sample.pk for sample in made}


def test_samples_that_come_in_meanwhile_shift_nothing():
    make_samples(100)
    first = gallery.stretch(QueryDict())
    make_samples(3, make_run("New"))
    second = gallery.stretch(QueryDict(first.next_query))
    assert not {one.pk for one in first.samples} & {one.pk for one in second.samples}
    assert len(first.samples) + len(second.samples) == 100


def test_a_link_keeps_the_filters_and_leaves_out_what_is_empty():
    make_samples(70, make_run("Wanted"), favourite=True), make_samples(70, make_run("Other"))
    stretches = walk("favourite=true&q=&kind=")
    assert sum(len(stretch.samples) for stretch in stretches) == 70
    assert stretches[0].newest_query == "favourite=true"


@pytest.mark.parametrize("query", ["", "q=star&kind=default&step_from=0&person=ada&since=2026-01-01"])
def test_the_page_asks_as_often_for_many_samples_as_for_few(client, query, user):
    make_samples(3, make_run(owner=user))
    address = f"{reverse('samples')}?{query}"
    few = queries_of(client, address)
    for number in range(5):
        make_samples(60, make_run(f"Run {number}", owner=user))
    assert queries_of(client, address) == few < 6


def test_a_part_of_the_page_is_what_a_script_appends(client):
    make_samples(70)
    next_query = gallery.stretch(QueryDict()).next_query
    part = client.get(f"{reverse('samples')}?{next_query}", headers={"HX-Request": "true"}).text
    assert part.count('class="tile"') == 10 and "<html" not in part and "gallery-more" not in part


def tick(client, samples, do, **fields):
    ids = [str(sample.pk) for sample in samples]
    return client.post(reverse("samples-selection"), {"id": ids, "do": do, "next": "/samples/", **fields}, follow=True)


def test_ticked_samples_become_favourites_and_none_again(client, user):
    samples = make_samples(3)
    assert "2 samples were changed." in tick(client, samples[:2], "favourite").text
    assert Sample.objects.filter(favourite=True, favourite_by=user).count() == 2
    tick(client, samples, "unfavourite")
    assert not Sample.objects.filter(favourite=True).exists()


def test_ticked_samples_are_deleted_once_that_is_sure(client):
    samples = make_samples(3)
    assert "Delete these 2 samples?" in tick(client, samples[:2], "delete").text
    assert Sample.objects.count() == 3
    assert "2 samples were deleted." in tick(client, samples[:2], "delete", sure="1").text
    assert Sample.objects.count() == 1


def test_a_favourite_among_the_ticked_is_a_reason_to_delete_none(client):
    samples = [*make_samples(1), *make_samples(1, make_run(), favourite=True)]
    assert "is a favourite" in tick(client, samples, "delete", sure="1").text
    assert Sample.objects.count() == 2


def test_nothing_ticked_is_told(client):
    assert "Select samples first." in tick(client, [], "zip").text
    assert "Choose an action" in tick(client, make_samples(1), "dance").text


def test_a_viewer_takes_a_zip_and_changes_nothing(client, user):
    user.is_staff = False
    user.save()
    samples = make_samples(2)
    assert tick(client, samples, "favourite").status_code == 403
    assert tick(client, samples, "delete", sure="1").status_code == 403
    answer = tick(client, samples, "zip")
    assert ZipFile(io.BytesIO(content(answer))).namelist() == ["samples.json"]
