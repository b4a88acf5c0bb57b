"""Samples in the admin."""

from __future__ import annotations

import pytest
from django.urls import reverse

from samples.models import Sample
from tests.making import make_run, make_user

pytestmark = pytest.mark.django_db
LIST = "/admin/samples/sample/"


@pytest.fixture
def admin(client):
    client.force_login(make_user("root", is_staff=True, is_superuser=True))
    return client


def make_sample(number=1, run=None, **fields):
    run = run or make_run(status="running")
    return Sample.objects.create(run=run, attempt=1, sequence=number, path=f"/data/{number}.png", **fields)


def test_the_list_shows_thumbnails(admin):
    sample = make_sample(prompt="a <red> star")
    page = admin.get(LIST).content.decode()
    assert f'<img class="thumb" src="{sample.get_thumbnail_url()}"' in page and "a &lt;red&gt; star" in page


def test_the_list_needs_as_many_queries_for_many_samples_as_for_few(admin, django_assert_max_num_queries):
    for number in range(30):
        make_sample(number, run=make_run(f"Run {number}", "running"))
    with django_assert_max_num_queries(14):
        admin.get(LIST)


def test_the_list_can_be_narrowed_to_one_run_and_kind(admin):
    wanted = make_sample(prompt="wanted", kind="custom")
    make_sample(2, run=wanted.run, prompt="another kind")
    make_sample(3, prompt="another run", kind="custom")
    page = admin.get(LIST, {"run__id__exact": wanted.run.pk, "kind__exact": "custom"}).content.decode()
    assert "wanted</a>" in page and "another" not in page


def test_a_samples_page_shows_its_settings_and_cannot_be_edited(admin):
    sample = make_sample(settings={"seed": 4242})
    address = reverse("admin:samples_sample_change", args=[sample.pk])
    assert "<dt>seed</dt><dd>4242</dd>" in admin.get(address).content.decode()
    assert admin.post(address, {"prompt": "other"}).status_code == 403
