"""The doctor: the whole examination, its report, and what must not stand in it."""

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest
from django.conf import settings as site_settings
from django.db import DatabaseError

from operations.doctor import configuration, database, disk, examine, journals, live
from operations.doctor.examination import SUBJECTS, Subject
from operations.doctor.finding import FINE, LOOK, MENDED, UNKNOWN, WRONG, Asked, fine, look_at, note, unknown, wrong
from operations.doctor.privacy import Cleaner
from system.account import secrets
from tests.making import make_token, make_user
from tests.operations.doctor.doctor_world import found_by, told_run

pytestmark = pytest.mark.django_db
QUICK = [subject for subject in SUBJECTS if subject.title not in ("GPU", "OneTrainer")]


@pytest.fixture(autouse=True)
def a_data_folder_of_its_own(settings, tmp_path):
    settings.DATA_DIR = tmp_path / "data"
    settings.DATA_DIR.mkdir(mode=0o700)
    settings.DEBUG = False


def finding(*found):
    return [Subject("Test", lambda asked: iter(found))]


def run_doctor(*arguments, **environment):
    command = [sys.executable, "manage.py", "doctor", *arguments]
    return subprocess.run(
        command, cwd=site_settings.BASE_DIR, env=os.environ | environment, capture_output=True, text=True
    )


# -- the examination -------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("found", "status"),
    [
        ([fine("Yes."), note("Well.")], 0),
        ([fine("Yes."), look_at("Hm.")], 1),
        ([wrong("No.")], 1),
        ([wrong("No."), unknown("Who knows?")], 2),
        ([wrong("No.", mend=lambda: "Now it is.")], 0),
    ],
)
def test_the_exit_status_separates_fine_found_and_unknown(found, status):
    assert examine(mend=True, subjects=finding(*found)).exit_status == status


def test_nothing_is_repaired_without_a_request():
    def mend():
        raise AssertionError

    report = examine(subjects=finding(wrong("No.", mend=mend)))
    assert report.findings[0].level == WRONG
    assert "1 can be repaired" in report.summary


def test_repairs_are_reported_and_a_failed_repair_does_not_stop_the_others():
    def fail():
        raise OSError("No space left on device")

    found = examine(True, subjects=finding(wrong("A.", mend=fail), wrong("B.", mend=lambda: "Done."))).findings
    assert [one.level for one in found] == [WRONG, MENDED]
    assert "No space left" in found[0].sentence and found[1].sentence == "B. Done."


@pytest.mark.parametrize("error", [DatabaseError("gone"), OSError("gone"), KeyError("gone")])
def test_a_look_that_fails_is_one_finding_and_the_others_go_on(error):
    def broken(asked):
        yield fine("So far.")
        raise error

    report = examine(subjects=[Subject("Broken", broken), Subject("Whole", lambda asked: iter([fine("Yes.")]))])
    assert [one.level for one in report.findings] == [FINE, UNKNOWN, FINE]
    assert "gone" in report.findings[1].sentence and "Traceback" not in report.to_text()


def test_a_long_list_of_the_same_is_cut_in_the_text():
    text = examine(subjects=finding(*[wrong(f"Number {number}.") for number in range(1000)])).to_text()
    assert "and 975 more" in text and len(text.splitlines()) < 40


def test_a_new_site_is_fine():
    report = examine(subjects=QUICK)
    assert not [one for one in report.findings if one.level in (LOOK, WRONG, UNKNOWN)], report.to_text()


# -- things that are broken ------------------------------------------------------------------------------------


def test_a_database_that_is_away_is_a_sentence_and_the_rest_is_looked_at(tmp_path):
    away = run_doctor(DATABASE_URL=f"postgres://ada:sekret99@/name?host={tmp_path}")
    assert away.returncode == 2 and "The database cannot be read" in away.stdout
    assert "PyTorch" in away.stdout
    assert "Traceback" not in away.stdout + away.stderr and "sekret99" not in away.stdout


def test_a_setting_that_stops_everything_is_a_sentence_without_its_password():
    stopped = run_doctor(DATABASE_URL="postgrs://ada:sekret99@host/name")
    assert stopped.returncode == 2
    assert "DATABASE_URL is" in stopped.stderr and "sekret99" not in stopped.stderr


def test_a_damaged_database_file_is_reported_as_json_too(tmp_path):
    damaged = tmp_path / "db"
    damaged.write_bytes(b"This is no database at all. " * 100)
    told = run_doctor("--json", DATABASE_URL=f"sqlite:///{damaged}")
    report = json.loads(told.stdout)
    assert {"subject", "level", "sentence", "cure", "can_be_mended"} == set(report["findings"][0])
    assert told.returncode == report["exit_status"] == 2
    assert any("file is not a database" in finding["sentence"] for finding in report["findings"])
    assert told.stderr == ""


def test_an_unreachable_data_folder_is_reported(settings):
    settings.DATA_DIR = settings.DATA_DIR / "gone"
    report = examine(subjects=QUICK)
    assert report.exit_status == 2
    assert "does not exist" in " ".join(report.to_text().split())


def test_a_full_disk_is_reported(monkeypatch):
    def full(file):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(disk.os, "fsync", full)
    assert "No space left on device" in next(one.sentence for one in found_by("Data folder", WRONG))
    assert list(site_settings.DATA_DIR.iterdir()) == []


def test_an_unreachable_channel_layer_is_reported(settings, tmp_path):
    settings.EMBEDDED_REDIS = False
    settings.REDIS_URL = f"unix://{tmp_path}/redis.sock"
    config = {"hosts": [settings.REDIS_URL]}
    settings.CHANNEL_LAYERS = {
        "default": {"BACKEND": "channels_redis.pubsub.RedisPubSubChannelLayer", "CONFIG": config}
    }
    assert "was not received" in next(iter(live.look(Asked()))).sentence


def test_a_message_through_the_channel_layer_is_received(settings):
    settings.EMBEDDED_REDIS = False
    assert "was received" in next(iter(live.look(Asked()))).sentence


def test_a_key_that_others_can_read_is_reported_and_protected(settings):
    key = settings.DATA_DIR / "secret_key"
    key.touch(mode=0o644)
    report = examine(True, subjects=[Subject("Data folder", disk.look)])
    assert MENDED in {one.level for one in report.findings}
    assert key.stat().st_mode & 0o077 == 0


def test_insecure_settings_are_reported(settings):
    settings.DEBUG, settings.ALLOWED_HOSTS, settings.SECRET_KEY = True, ["*"], "short"
    said = " ".join(one.sentence for one in found_by("Settings"))
    assert all(name in said for name in ("DEBUG", "ALLOWED_HOSTS", "SECRET_KEY"))


def test_missing_and_unknown_migrations_are_reported(monkeypatch):
    from django.db.migrations.recorder import MigrationRecorder

    recorder = MigrationRecorder(database.connection)
    recorder.record_applied("system", "0999_of_tomorrow")
    recorder.Migration.objects.filter(app="sessions").delete()
    said = " ".join(one.sentence for one in found_by("Database", WRONG))
    assert "not applied: sessions.0001_initial" in said and "system.0999_of_tomorrow" in said


# -- what must not stand in a report ---------------------------------------------------------------------------


def test_no_planted_secret_is_in_the_report(settings, monkeypatch):
    """Each look is made to say everything that it could come across."""
    user = make_user("Ada Lovelace", email="ada@example.org")
    secrets.set_secret(user, "huggingface_token", "hf_plantedplanted")
    run = told_run(name="portrait of a secret person", owner=user, notes="planted note")
    planted = {
        "key": settings.SECRET_KEY,
        "token": make_token(user),
        "hub": "hf_plantedplanted",
        "variable": "planted-in-the-environment",
        "password": "p%40nted",
        "meant": "p@nted",
    }
    monkeypatch.setenv("MY_API_KEY", planted["variable"])
    monkeypatch.setenv("DATABASE_URL", f"postgres://ada:{planted['password']}@host/name")
    everything = " ".join(f"said: {value}, '{value}'" for value in planted.values())
    everything += f" postgres://ada:other@host/x in {Path.home()}/data and /home/ada/pictures"
    monkeypatch.setattr(journals, "_order", lambda *args: iter([wrong(everything, everything)]))
    report = examine(subjects=QUICK)
    for text in (report.to_text(), report.to_json()):
        for secret in (*planted.values(), ":other@", str(Path.home()), "/home/ada"):
            assert secret not in text, secret
        for private in (user.username, user.email, run.name, run.notes, "a star"):
            assert private not in text, private
        assert "~/data" in text


def test_paths_and_hashes_are_kept_as_they_are():
    clean = Cleaner()
    kept = "/mnt/models/x of run 6ad0d0a6-5bbf-4d9e-9a43-3f5e0a4b8d11, sha256 " + "ab" * 32
    assert clean(kept) == kept


def test_values_of_the_environment_are_never_named(monkeypatch):
    monkeypatch.setenv("HF_TOKEN", "hf_planted")
    monkeypatch.setenv("HTTPS_PROXY", "http://ada:planted@proxy:3128")
    said = " ".join(one.sentence for one in configuration.look(Asked()))
    assert "HF_TOKEN" in said and "HTTPS_PROXY" in said and "planted" not in said
