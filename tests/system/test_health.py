"""`/healthz`."""

from __future__ import annotations

import shutil
from datetime import timedelta

import pytest
from django.db import OperationalError
from django.utils.timezone import now

from system.health import LEAST_ROOM
from system.models import Worker

pytestmark = pytest.mark.django_db(transaction=True)


def make_worker(name="host:gpu0", late=False, **fields):
    return Worker.objects.create(name=name, heartbeat_at=now() - timedelta(minutes=late), **fields)


def test_it_needs_no_sign_in(client):
    answer = client.get("/healthz")
    assert answer.status_code == 200
    assert answer.json() == {
        "status": "ok",
        "database": "ok",
        "channel_layer": "ok",
        "disk": "ok",
        "workers": {"alive": 0, "missing": 0},
    }


def test_a_live_worker_is_counted(client):
    make_worker()
    assert client.get("/healthz").json()["workers"] == {"alive": 1, "missing": 0}


def test_a_worker_that_signed_off_is_not_counted_as_missing(client):
    make_worker(status=Worker.Status.OFFLINE, late=True)
    assert client.get("/healthz").json()["workers"] == {"alive": 0, "missing": 0}


def test_it_fails_when_all_workers_vanished(client):
    make_worker(late=True)
    answer = client.get("/healthz")
    assert answer.status_code == 503
    assert answer.json()["workers"] == {"alive": 0, "missing": 1}


def test_one_of_two_workers_is_enough(client):
    make_worker(late=True)
    make_worker("host:gpu1")
    assert client.get("/healthz").status_code == 200


def test_it_fails_without_a_channel_layer(client, settings):
    redis = "channels_redis.pubsub.RedisPubSubChannelLayer"
    settings.CHANNEL_LAYERS = {"default": {"BACKEND": redis, "CONFIG": {"hosts": ["unix:///nowhere/redis.sock"]}}}
    answer = client.get("/healthz")
    assert answer.status_code == 503
    assert answer.json()["channel_layer"] == "unreachable"


def test_it_fails_without_a_database(client, monkeypatch):
    def fail():
        raise OperationalError("gone")

    monkeypatch.setattr(Worker.objects, "alive", fail)
    answer = client.get("/healthz")
    assert answer.status_code == 503
    assert answer.json()["database"] == "unreachable"


def test_it_fails_if_the_disk_is_full(client, monkeypatch):
    monkeypatch.setattr("shutil.disk_usage", lambda path: shutil._ntuple_diskusage(10**9, 10**9, LEAST_ROOM - 1))
    answer = client.get("/healthz")
    assert answer.status_code == 503
    assert answer.json()["disk"] == "full"


def test_it_fails_if_the_data_folder_is_away(client, settings, tmp_path):
    settings.DATA_DIR = tmp_path / "gone"
    assert client.get("/healthz").json()["disk"] == "unreachable"


def test_it_cannot_be_posted_to(client):
    assert client.post("/healthz").status_code == 405
