"""`manage.py verify_audit` names the first broken link."""

from datetime import timedelta
from io import StringIO

import pytest
from django.core.management import CommandError, call_command
from django.db import connection
from django.utils.timezone import now

from system.audit import record, seal
from system.audit.models import AuditEntry, AuditHead
from system.audit.seal import file_of_head, seal_of

pytestmark = pytest.mark.django_db


@pytest.fixture(autouse=True)
def chain(settings, tmp_path):
    """Five entries, with the head's copy in a folder of the test's own."""
    settings.DATA_DIR = tmp_path
    for number in range(1, 6):
        append(f"thing.{number}")


def append(action):
    entry = record(action, actor="ada")
    seal.remember(entry.number, entry.hash)  # as after the commit, which a test has none of


def sql(statement):
    with connection.cursor() as cursor:
        cursor.execute(statement)


def answer():
    out = StringIO()
    call_command("verify_audit", stdout=out)
    return out.getvalue()


def forge_head(**facts):
    """As one who knows the site's key."""
    head = AuditHead.objects.get()
    for name, value in facts.items():
        setattr(head, name, value)
    head.seal = seal_of(head)
    head.save()


def test_a_whole_chain_is_counted():
    assert answer() == "The audit log is whole: 5 entries.\n"


@pytest.mark.parametrize(
    ("statement", "sentence"),
    [
        ("UPDATE system_auditentry SET actor_name = 'eve' WHERE number = 3", "Entry 3 was changed"),
        ("UPDATE system_auditentry SET after = '{}' WHERE number = 2", "Entry 2 was changed"),
        ("UPDATE system_auditentry SET at = '2026-01-01 00:00:00' WHERE number = 2", "Entry 2 was changed"),
        ("DELETE FROM system_auditentry WHERE number = 2", "Entry 2 is missing"),
        ("DELETE FROM system_auditentry WHERE number < 3", "Entries 1 to 2 are missing"),
        ("DELETE FROM system_auditentry WHERE number > 3", "Entries 4 to 5 are missing. The end"),
        ("DELETE FROM system_auditentry", "Entries 1 to 5 are missing. The end"),
        ("UPDATE system_audithead SET number = 4", "beyond the end"),
        ("UPDATE system_audithead SET seal = 'x'", "seal does not fit"),
        ("UPDATE system_audithead SET cut_number = 5", "was cut off, and is back"),
        ("DELETE FROM system_audithead", "beyond the end"),
    ],
)
def test_the_first_broken_link_is_named(statement, sentence):
    sql(statement)
    with pytest.raises(CommandError, match=sentence):
        answer()


def test_reordered_entries_are_found():
    first, second = AuditEntry.objects.filter(number__in=(2, 3)).order_by("number")
    sql("DELETE FROM system_auditentry WHERE number IN (2, 3)")
    first.number, second.number = 3, 2
    AuditEntry.objects.bulk_create([first, second])
    with pytest.raises(CommandError, match="Entry 2 was changed"):
        answer()


def rewrite_from(number):
    """Change an entry, and compute all hashes anew, as an attacker would who knows the code."""
    entries = list(AuditEntry.objects.filter(number__gte=number).order_by("number"))
    sql(f"DELETE FROM system_auditentry WHERE number >= {number}")
    entries[0].actor_name = "eve"
    for index, entry in enumerate(entries):
        entry.previous = entries[index - 1].hash if index else entry.previous
        entry.hash = entry.own_hash()
    AuditEntry.objects.bulk_create(entries)
    return entries[-1].hash


def test_a_rewritten_end_does_not_fit_the_head_nor_its_seal():
    new = rewrite_from(3)
    with pytest.raises(CommandError, match="the hash in the head of the chain"):
        answer()
    sql(f"UPDATE system_audithead SET hash = '{new}'")
    with pytest.raises(CommandError, match="seal does not fit"):
        answer()


def test_a_rewritten_end_with_a_good_seal_does_not_fit_the_copy_in_the_file():
    forge_head(hash=rewrite_from(3))
    with pytest.raises(CommandError, match="the log was replaced"):
        answer()


def test_an_end_that_was_cut_off_with_its_head_is_known_from_the_file():
    sql("DELETE FROM system_auditentry WHERE number > 3")
    forge_head(number=3, hash=AuditEntry.objects.get(number=3).hash)
    with pytest.raises(CommandError, match="Entries 4 to 5 are missing"):
        answer()


def test_later_entries_do_not_hide_that_the_log_was_replaced():
    sql(f"UPDATE system_audithead SET hash = '{rewrite_from(3)}'")
    append("thing.6")
    with pytest.raises(CommandError, match="Before entry 6 the log was replaced"):
        answer()


def test_a_changed_secret_key_is_a_note_in_the_log(settings):
    settings.SECRET_KEY = "another key of more than thirty-two characters"
    with pytest.raises(CommandError, match="SECRET_KEY_FALLBACKS"):
        answer()
    append("thing.6")
    assert "Entry 6: the head's seal did not fit then" in answer()
    append("thing.8")
    assert "whole: 8 entries" in answer()


def test_an_entry_beyond_the_head_does_not_stop_the_site():
    rogue = AuditEntry.objects.get(number=5)
    rogue.number = 6
    AuditEntry.objects.bulk_create([rogue])
    append("thing.7")
    with pytest.raises(CommandError, match="Entry 6 was changed"):
        answer()


def test_old_entries_are_cut_off_and_the_rest_still_verifies(settings):
    settings.AUDIT_DAYS = 30
    moment = now() - timedelta(days=40)
    sql("DELETE FROM system_auditentry")
    sql("DELETE FROM system_audithead")
    file_of_head().unlink()
    entries = []
    for number in range(1, 4):
        entry = AuditEntry(number=number, at=moment, action="old.one")
        entry.previous = entries[-1].hash if entries else "0" * 64
        entry.hash = entry.own_hash()
        entries.append(entry)
    AuditEntry.objects.bulk_create(entries)
    AuditHead.objects.create(pk=1)
    forge_head(number=3, hash=entries[-1].hash)
    append("thing.new")
    assert list(AuditEntry.objects.values_list("number", "action")) == [(5, "audit.cut"), (4, "thing.new")]
    assert AuditEntry.objects.get(number=5).after_value["last"] == 3
    assert "2 entries, after 3 that were cut off" in answer()
    sql("DELETE FROM system_auditentry WHERE number = 4")
    with pytest.raises(CommandError, match="Entry 4 is missing"):
        answer()


def test_a_damaged_copy_is_named():
    file_of_head().write_text("{")
    with pytest.raises(CommandError, match="audit_head.json is damaged"):
        answer()
