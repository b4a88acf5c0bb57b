"""Base models by the API."""

from __future__ import annotations

import pytest
from rest_framework.test import APIClient

from presets.models import ModelFetch
from system.models import Job
from tests.making import make_run, trainable_config
from tests.training.base_models.test_page import stars, trainer  # noqa: F401  fixtures

pytestmark = pytest.mark.django_db


@pytest.fixture
def api(trainer, stars):  # noqa: F811
    client = APIClient()
    client.force_authenticate(trainer)
    return client


def test_the_list_has_the_catalogue_and_the_models_on_the_disk(api, stars):  # noqa: F811
    answer = api.get("/api/base-models").json()
    sdxl = next(row for row in answer["known"] if row["name"] == "stabilityai/stable-diffusion-xl-base-1.0")
    assert (sdxl["size"], sdxl["gated"], sdxl["on_disk"]) == (13_900_000_000, False, None)
    assert str(stars) in [row["name"] for row in answer["others"]]


def test_a_fetch_is_requested_followed_cancelled_continued_and_removed(api):
    asked = api.post("/api/base-models/fetches", {"source": "tiny/stars"}, format="json")
    assert (asked.status_code, asked.json()["status"]) == (202, "waiting")
    address = f"/api/base-models/fetches/{asked.json()['id']}"
    ModelFetch.objects.open().get().take("here")
    ModelFetch.objects.open().get().change(result={"bytes": 5, "total": 20, "phase": "fetching"})
    now = api.get(address).json()
    assert (now["status"], now["bytes_done"], now["bytes_total"]) == ("running", 5, 20)
    assert api.delete(address).status_code == 409
    assert api.post(f"{address}/cancel").json()["status"] == "cancelled"
    assert api.post(f"{address}/cancel").status_code == 409
    again = api.post(f"{address}/continue").json()
    assert [row["id"] for row in api.get("/api/base-models/fetches").json()] == [again["id"]]
    ModelFetch.objects.open().update(status=Job.Status.FAILED)
    assert api.delete(f"/api/base-models/fetches/{again['id']}").status_code == 204


@pytest.mark.parametrize(
    ("body", "field"),
    [({"source": "stars"}, "source"), ({"source": "a/b", "sha256": "x"}, "sha256"), ({}, "source")],
)
def test_a_wrong_request_names_its_field(api, body, field):
    answer = api.post("/api/base-models/fetches", body, format="json")
    assert (answer.status_code, list(answer.json()["errors"])) == (400, [field])


def test_a_model_is_deleted_unless_a_run_needs_it(api, stars):  # noqa: F811
    run = make_run(config=trainable_config(base_model_name=str(stars)))
    assert api.delete("/api/base-models", {"name": str(stars)}, format="json").status_code == 409
    run.move_to("cancelled")
    assert api.delete("/api/base-models", {"name": str(stars)}, format="json").status_code == 204
    assert api.delete("/api/base-models", {"name": str(stars)}, format="json").status_code == 404
