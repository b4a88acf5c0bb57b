"""What the page of an ended run leads with: the download of its model, and its samples before and after."""

from __future__ import annotations

import pytest
from django.urls import reverse

from samples.models import Sample
from tests.making import make_run, make_user
from training.models import Artifact, Run
from training.pages.result import first_and_last, model_of

pytestmark = pytest.mark.django_db


@pytest.fixture
def run(client):
    client.force_login(make_user(is_staff=True))
    return make_run(status=Run.Status.FINISHED)


def artifact(run, name, kind="model", sequence=1, size=2_936_013):
    path = run.folder / name
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(b"weights")
    return Artifact.objects.create(run=run, attempt=1, sequence=sequence, kind=kind, path=str(path), size=size)


def sample(run, index, step, sequence, **fields):
    facts = {"prompt": f"prompt {index}", "path": f"{run.folder}/{sequence}.png"}
    return Sample.objects.create(run=run, attempt=1, sequence=sequence, index=index, global_step=step, **facts | fields)


def overview(client, run):
    return client.get(reverse("run", args=[run.pk])).content.decode()


def test_a_finished_run_leads_with_the_download_of_its_model(client, run):
    model = artifact(run, "stars.safetensors")
    page = overview(client, run)
    link = page.index(f'class="btn btn-primary" href="{reverse("artifact", args=[run.pk, model.pk])}" download')
    assert "Download model (2.8\xa0MB)" in page
    assert link < page.index("Start again") and page.count("btn btn-primary") == page[link:].count("btn btn-primary")


@pytest.mark.parametrize("state", [Run.Status.RUNNING, Run.Status.QUEUED])
def test_a_run_that_goes_on_offers_no_model_yet(client, run, state):
    artifact(run, "stars.safetensors", kind="save")
    Run.objects.filter(pk=run.pk).update(status=state)
    assert "Download model" not in overview(client, Run.objects.get(pk=run.pk))


def test_the_final_model_comes_before_a_saved_one_and_a_file_that_is_gone_is_not_offered(run):
    final = artifact(run, "final.safetensors")
    saved = artifact(run, "step-20.safetensors", kind="save", sequence=2)
    artifact(run, "backup", kind="backup", sequence=3)
    assert model_of(run) == final
    (run.folder / "final.safetensors").unlink()
    assert model_of(run) == saved
    (run.folder / "step-20.safetensors").unlink()
    assert model_of(run) is None


def test_each_prompt_shows_its_first_and_its_last_sample_side_by_side(client, run, django_assert_num_queries):
    first, last = sample(run, 0, 0, 1), sample(run, 0, 40, 3)
    sample(run, 0, 20, 2)
    alone = sample(run, 1, 40, 4)
    sample(run, 0, 50, 5, superseded=True)
    sample(run, 0, 60, 6, kind="custom")
    with django_assert_num_queries(2):
        pairs = first_and_last(run)
    assert [(pair.first, pair.last) for pair in pairs] == [(first, last), (None, alone)]
    page = overview(client, run)
    assert "First and last samples" in page and page.index("step 0<") < page.index("step 40<")
