"""Recording: who, from where, what, before and after; and no secret."""

import json
import threading

import pytest
from django.db import DatabaseError, connection, transaction
from django.test import RequestFactory

from system.audit import Thing, record, triggers
from system.audit.models import START, AppendOnly, AuditEntry, AuditHead
from tests.making import make_run, make_user

pytestmark = pytest.mark.django_db


def test_an_entry_names_person_address_thing_and_change():
    user, run = make_user("ada"), make_run("Stars")
    request = RequestFactory().post("/", REMOTE_ADDR="203.0.113.7")
    request.user = user
    entry = record("run.renamed", request=request, thing=run, before={"name": "Stars"}, after={"name": "Moons"})
    entry.refresh_from_db()
    assert (entry.actor_id, entry.actor_name, entry.address, entry.means) == (
        str(user.pk), "ada", "203.0.113.7", "session",
    )  # fmt: skip
    assert (entry.kind, entry.thing_id, entry.thing_name) == ("run", str(run.pk), str(run))
    assert (entry.before_value, entry.after_value) == ({"name": "Stars"}, {"name": "Moons"})


def test_an_entry_survives_person_and_thing():
    user, run = make_user("ada"), make_run("Stars")
    number = record("run.deleted", actor=user, thing=run).pk
    run.delete()
    user.delete()
    entry = AuditEntry.objects.get(pk=number)
    assert (entry.actor_name, entry.thing_name) == ("ada", "Stars")


def test_each_entry_holds_the_hash_of_the_one_before():
    first, second = record("a.b"), record("a.c")
    assert (first.previous, second.previous) == (START, first.hash)
    assert (AuditHead.objects.get().number, AuditHead.objects.get().hash) == (2, second.hash)


@pytest.mark.parametrize(
    "facts",
    [
        {"password": "s3cret"},
        {"huggingface_token": "s3cret"},
        {"nested": [{"api_key": "s3cret"}]},
        {"secrets": {"name": "s3cret"}},
        {"url": "https://ada:s3cret@example.org/x"},
        {"address": "wss://site/ws?token=s3cret&x=1"},
        {"note": "it is hf_s3cretABCDEFG"},
        {"Authorization": "Token s3cret"},
        {"recovery_codes": ["s3cret"]},
    ],
)
def test_no_secret_is_stored(facts):
    entry = record("x.y", thing=Thing("run", "1", "https://ada:s3cret@example.org"), before=facts, after=facts)
    assert "s3cret" not in json.dumps([entry.before, entry.after, entry.thing_name])


@pytest.mark.parametrize(
    "value", ["\ud800", "\x00", "ä\n" * 50_000, float("nan"), {1: {2: object()}}, [[[[[[[[[[1]]]]]]]]]], 10**30]
)
def test_any_value_can_be_recorded_and_read_again(value):
    entry = record("x.y", actor=str(value), thing=Thing("thing", str(value), str(value)), after={"value": value})
    entry.refresh_from_db()
    assert entry.own_hash() == entry.hash
    assert "value" in entry.after_value or "shortened" in entry.after_value


def test_the_model_refuses_to_change_or_delete_an_entry():
    entry = record("x.y")
    with pytest.raises(AppendOnly):
        entry.save()
    with pytest.raises(AppendOnly):
        entry.delete()
    with pytest.raises(AppendOnly):
        AuditEntry.objects.update(action="z")
    with pytest.raises(AppendOnly):
        AuditEntry.objects.all().delete()


@pytest.mark.parametrize("statement", ["UPDATE system_auditentry SET action = 'z'", "DELETE FROM system_auditentry"])
def test_the_database_refuses_it_too(statement):
    record("x.y")
    triggers.install()
    with pytest.raises(DatabaseError, match="append-only"), transaction.atomic(), connection.cursor() as cursor:
        cursor.execute(statement)
    triggers.remove()


def record_many(failures):
    try:
        for _ in range(10):
            record("x.y")
    except Exception as error:  # noqa: BLE001  shown by the test
        failures.append(error)
    finally:
        connection.close()


@pytest.mark.django_db(transaction=True)
def test_simultaneous_entries_form_one_chain():
    failures = []
    threads = [threading.Thread(target=record_many, args=(failures,)) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert failures == []
    rows = list(AuditEntry.objects.order_by("number").values_list("number", "previous", "hash"))
    assert [row[0] for row in rows] == list(range(1, 41))
    assert [row[1] for row in rows] == [START, *(row[2] for row in rows[:-1])]
