"""The system page: machines with their last two hours, workers, and draining them; the same by the API."""

from __future__ import annotations

import time
from datetime import timedelta

import pytest
from django.urls import reverse
from django.utils.timezone import now

from system import readings
from system.models import Reading
from system.readings import KEPT_SLOTS, SLOT_SECONDS, history, record
from tests.api import trainer as api_trainer
from tests.api import viewer as api_viewer
from tests.making import make_living_worker, make_run, make_user
from tests.queries import queries_of
from training.models import Run
from worker.gpu_worker import GpuWorker

pytestmark = pytest.mark.django_db
CARD = {
    "id": 0,
    "name": "A card",
    "memory_total_gb": 24.0,
    "memory_allocated_gb": 9.5,
    "usage_percent": 97.0,
    "temperature_c": 64.0,
    "power_w": 318.0,
    "clock_mhz": 2520.0,
    "users": [
        {"pid": 71, "name": "python3", "memory_gb": 9.0, "session": 70},
        {"pid": 5, "name": "blender", "memory_gb": 0.5, "session": 5},
    ],
}
NUMBERS = {"cpu_percent": 40.0, "memory_percent": 50.0, "disk_percent": 60.0, "cpu_count": 8, "memory_total_gb": 32.0}


@pytest.fixture(autouse=True)
def nothing_recorded():
    readings._recorded.clear()


def make_worker(name="studio:gpu0", host="studio", gpus=(), **fields):
    resources = {**NUMBERS, "gpus": list(gpus), **fields.pop("resources", {})}
    return make_living_worker(name=name, host=host, resources=resources, **fields)


def page(client):
    return client.get(reverse("system")).text


def test_a_machine_shows_its_cards_and_who_uses_them(client, trainer):
    run = make_run("Stars", Run.Status.RUNNING)
    training = {"pid": 70, "run_id": str(run.pk), "name": "Stars"}
    make_worker(gpus=[CARD], resources={"training": training})
    shown = page(client)
    for text in ("studio", "97 %", "9.5 of 24.0 GB", "64 °C", "318 W", "2520 MHz", "8 cores"):
        assert text in shown
    assert f'<a href="{run.get_absolute_url()}">Stars</a>' in shown
    assert "blender, process 5, not of this site" in shown


def test_workers_of_one_host_share_a_card_in_the_page(client, trainer):
    make_worker("studio:gpu0", gpus=[CARD])
    make_worker("studio:gpu1", gpus=[CARD])
    assert page(client).count("GPU 0 · A card") == 1


def test_without_a_living_worker_the_web_servers_own_numbers_are_shown(client, trainer):
    make_worker(heartbeat_at=now() - timedelta(minutes=5))
    shown = page(client)
    assert "In use" in shown and 'id="meters"' in shown


@pytest.mark.parametrize(
    ("fields", "pill", "words"),
    [
        ({"status": "busy"}, "busy", "process"),
        ({"status": "busy", "drain": True}, "draining", "Takes no more runs"),
        ({"status": "draining"}, "draining", "It is stopping: its training writes a backup first."),
        ({"status": "offline"}, "offline", "It was stopped"),
        ({"status": "busy", "heartbeat_at": now() - timedelta(hours=1)}, "lost", "It vanished"),
    ],
)
def test_the_true_state_of_a_worker_is_shown(client, trainer, fields, pill, words):
    make_worker(**fields)
    shown = page(client)
    assert f"pill-{pill}" in shown and words in shown


def test_a_worker_is_drained_and_resumed(client, trainer):
    worker = make_worker()
    address = reverse("worker-drain", args=[worker.pk])
    assert "takes no more runs" in client.post(address, {"drain": "true"}, headers={"HX-Request": "true"}).text
    worker.refresh_from_db()
    assert (worker.drain, worker.drain_set_by) == (True, trainer)
    assert "drained by ada" in page(client)
    assert client.post(address, {"drain": "false"}).url == reverse("system")
    worker.refresh_from_db()
    assert not worker.drain


def test_a_worker_that_ends_is_not_offered_to_be_drained(client, trainer):
    worker = make_worker(status="draining")
    assert reverse("worker-drain", args=[worker.pk]) not in page(client)


def test_a_viewer_drains_nothing(client):
    client.force_login(make_user("vera"))
    worker = make_worker()
    address = reverse("worker-drain", args=[worker.pk])
    assert address not in page(client)
    assert client.post(address, {"drain": "true"}).status_code == 403


def test_the_number_of_queries_does_not_grow_with_the_workers(client, trainer):
    make_worker("studio:gpu0", gpus=[CARD], drain=True, drain_set_by=trainer)
    few = queries_of(client, reverse("system"))
    for number in range(1, 8):
        make_worker(f"studio:gpu{number}", gpus=[CARD], drain=True, drain_set_by=trainer)
    assert len(queries_of(client, reverse("system"))) == len(few)


# -- two hours -----------------------------------------------------------------------------------------------------


def test_a_host_is_recorded_once_in_ten_seconds_by_the_first_process():
    for _worker in range(3):
        readings._recorded.clear()
        record("studio", {**NUMBERS, "gpus": [CARD]})
    record("render", {**NUMBERS, "gpus": []})
    assert Reading.objects.filter(host="studio").count() in (1, 2)  # the ten seconds may have just passed
    assert Reading.objects.filter(host="render").count() == 1


def test_a_workers_sign_of_life_is_recorded():
    GpuWorker("here:cpu").heartbeat()
    assert Reading.objects.get().values["cpu"] >= 0


def test_values_older_than_two_hours_are_neither_shown_nor_kept(monkeypatch):
    newest = int(time.time()) // SLOT_SECONDS // 30 * 30  # where old ones are removed
    monkeypatch.setattr(time, "time", lambda: newest * SLOT_SECONDS + 1.0)
    for age in (0, 1, KEPT_SLOTS - 1, KEPT_SLOTS, KEPT_SLOTS + 5):
        Reading.objects.create(host="studio", slot=newest - age, values={"cpu": 1, "memory": 2, "gpus": {}})
    assert len([value for value in history()["studio"]["cpu"] if value is not None]) == 3
    record("render", {**NUMBERS, "gpus": []})
    assert Reading.objects.filter(host="studio").count() == 4


def test_readings_are_gathered_and_a_gap_is_shown_as_one():
    newest = int(time.time()) // SLOT_SECONDS
    first = (newest - 60) // 3 * 3
    for slot, cpu in ((first, 10), (first + 1, 20), (first + 9, 90)):
        gpus = {"0": {"use": cpu, "memory": 1, "temperature": 50, "power": 100}}
        Reading.objects.create(host="studio", slot=slot, values={"cpu": cpu, "memory": 5, "gpus": gpus})
    found = history()["studio"]
    assert found["cpu"] == [15, None, None, 90]
    assert found["gpus"]["0"]["use"] == [15, None, None, 90]
    assert found["gpus"]["0"]["clock"] == [None] * 4, "not kept when these were written"
    assert found["times"][1] - found["times"][0] == 30


def test_the_page_hands_the_last_two_hours_to_its_charts(client, trainer):
    make_worker(gpus=[CARD])
    record("studio", {**NUMBERS, "gpus": [CARD]})
    assert page(client).count("data-usage=") == 6  # of the host, and five of the card


# -- the API -------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("by", ["name", "pk"])
def test_the_api_drains_a_worker_by_its_name_or_id(by):
    worker, client = make_worker(), api_trainer()
    answer = client.patch(f"/api/workers/{getattr(worker, by)}/", {"drain": True})
    assert (answer.status_code, answer.json()["drain"]) == (200, True)
    assert client.get(f"/api/workers/{worker.name}").json()["name"] == worker.name


@pytest.mark.parametrize("body", [{}, {"drain": "perhaps"}, {"drain": True, "name": "x"}, []])
def test_the_api_refuses_nonsense(body):
    answer = api_trainer().patch(f"/api/workers/{make_worker().pk}/", body)
    assert answer.status_code == 400 and answer.json()["detail"]


def test_a_viewer_drains_nothing_by_the_api_and_an_unknown_worker_is_not_found():
    assert api_viewer().patch(f"/api/workers/{make_worker().name}/", {"drain": True}).status_code == 403
    assert api_trainer().patch("/api/workers/nobody/", {"drain": True}).status_code == 404
