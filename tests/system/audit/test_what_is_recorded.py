"""The acts that leave an entry, by whichever door they come."""

import json

import pytest
from django.contrib.auth.models import Group
from django.test import Client
from django.urls import path

from onetrainer_site.urls import urlpatterns as site
from samples.models import Sample
from samples.service import SampleService
from system.account import secrets, tokens
from system.audit.models import AuditEntry
from system.models import Worker
from tests.making import make_preset, make_run, make_user
from training.models import Artifact, RunCommand

pytestmark = pytest.mark.django_db


def newest(action):
    return AuditEntry.objects.filter(action=action).first()


def test_sign_ins_sign_outs_and_failures(client):
    make_user("ada", password="s3cret-word")
    where = {"REMOTE_ADDR": "203.0.113.9"}
    client.post("/sign-in/", {"username": "ada", "password": "wrong"}, **where)
    client.post("/sign-in/", {"username": "s3cret-word", "password": "ada"}, **where)  # the fields confused
    failed = AuditEntry.objects.filter(action="sign_in.failed")
    assert list(failed.values_list("actor_name", "address")) == [
        ("(no such name)", "203.0.113.9"),
        ("ada", "203.0.113.9"),
    ]
    client.post("/sign-in/", {"username": "ada", "password": "s3cret-word"}, **where)
    client.post("/sign-out/")
    assert (newest("sign_in.done").actor_name, newest("sign_out.done").actor_name) == ("ada", "ada")
    assert "s3cret" not in json.dumps(list(AuditEntry.objects.values_list()), default=str)


def test_roles_and_accounts():
    ada = make_user("ada")
    ada.groups.add(Group.objects.get_or_create(name="trainers")[0])
    assert newest("role.changed").after_value == {"added": ["trainers"]}
    ada.groups.clear()
    assert newest("role.changed").after_value == {"removed": ["trainers"]}
    ada.is_staff = True
    ada.save()
    assert (newest("account.changed").before_value, newest("account.changed").after_value) == (
        {"is_staff": False},
        {"is_staff": True},
    )
    ada.set_password("s3cret")
    ada.save()
    assert newest("account.changed").after_value == {"password": "(hidden)"}
    ada.delete()
    assert newest("account.deleted").before_value["username"] == "ada"


def test_tokens_and_secrets_without_their_values():
    ada = make_user("ada")
    token, key = tokens.new_token(ada)
    tokens.revoke_token(ada, token.pk)
    secrets.set_secret(ada, "huggingface_token", "hf_value")
    secrets.set_secret(ada, "huggingface_token", "hf_other")
    secrets.remove_secret(ada, "huggingface_token")
    actions = AuditEntry.objects.order_by("number").values_list("action", flat=True)[1:]
    assert list(actions) == ["token.created", "token.revoked", "secret.created", "secret.changed", "secret.deleted"]
    assert key not in json.dumps(list(AuditEntry.objects.values_list()), default=str)


def test_a_start_a_command_and_a_deletion_of_a_run(trainer, client):
    run = make_run("Stars", status="running")
    client.post(f"/runs/{run.pk}/backup/")
    assert RunCommand.objects.count() == 1
    command = newest("run.command")
    assert (command.actor_name, command.address, command.after_value["command"]) == ("ada", "127.0.0.1", "backup")
    ended = make_run("Moons", status="finished")
    client.post(f"/runs/{ended.pk}/delete/", {"name": "Moons", "confirm": "on"})
    assert (newest("run.deleted").thing_name, newest("run.deleted").before_value["status"]) == ("Moons", "finished")


def test_presets_policies_and_workers(trainer, client):
    preset = make_preset("Mine")
    client.delete(f"/api/presets/{preset.pk}/")
    assert newest("preset.deleted").before_value["name"] == "Mine"
    client.put("/api/retention", {"backups": {"keep": 3, "every": None}}, "application/json")
    assert AuditEntry.objects.first().action.startswith("policy.")
    assert AuditEntry.objects.first().after_value["keep_backups"] == 3
    worker = Worker.objects.create(name="here", host="here")
    worker.set_drain(True, by=trainer)
    assert newest("worker.changed").before_value == {"drain": False}


def test_deleted_samples(trainer):
    run = make_run("Stars", status="finished")
    sample = Sample.objects.create(run=run, attempt=1, sequence=1, path=str(run.folder / "x.png"), global_step=7)
    SampleService(trainer).delete([sample])
    assert (newest("samples.deleted").thing_id, newest("samples.deleted").before_value) == (str(run.pk), {"steps": [7]})


@pytest.mark.parametrize("address", ["/runs/{run}/artifacts/{file}/", "/api/runs/{run}/artifacts/{file}/file"])
def test_a_download_of_a_model_once_for_all_its_parts(trainer, client, address):
    run = make_run("Stars", status="finished")
    path = run.folder / "model.safetensors"
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(b"0123456789")
    file = Artifact.objects.create(run=run, attempt=1, sequence=1, kind="model", path=str(path), size=10)
    where = address.format(run=run.pk, file=file.pk)
    for part in ("bytes=0-4", "bytes=5-9"):
        assert client.get(where, headers={"Range": part}).status_code == 206
    downloads = AuditEntry.objects.filter(action="artifact.downloaded")
    assert [(entry.actor_name, entry.after_value["file"]) for entry in downloads] == [("ada", "model.safetensors")]


def test_a_change_in_the_admin_of_a_model_that_nothing_watches(client):
    boss = make_user("boss", is_staff=True, is_superuser=True)
    client.force_login(boss)
    run = make_run("Stars", status="finished")
    client.post("/admin/training/run/", {"action": "delete_selected", "_selected_action": [run.pk], "post": "yes"})
    assert newest("run.deleted").actor_name == "boss"


urlpatterns = [
    path("new/thing/", lambda request: __import__("django.http").http.HttpResponse("done"), name="new"),
    *site,
]


def test_a_view_that_nobody_thought_of_leaves_a_row(settings, trainer, client):
    settings.ROOT_URLCONF = __name__
    client.post("/new/thing/")
    assert (newest("new.post").actor_name, newest("new.post").after_value["status"]) == ("ada", 200)
    client.get("/new/thing/")
    assert AuditEntry.objects.filter(action__startswith="new.").count() == 1


def test_a_refused_change_leaves_a_row(viewer, client):
    client.post("/system/cleanup/remove/")
    assert newest("cleanup-remove.refused").actor_name == "vera"


def test_nobody_fills_the_log_without_signing_in():
    Client().post("/system/cleanup/remove/")
    Client().post("/api/runs/")
    assert AuditEntry.objects.count() == 0
