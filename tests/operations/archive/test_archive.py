"""Archives of a whole installation: what is in them, and what is refused."""

import hashlib
import json
import os
import shutil
import sqlite3
import subprocess
import sys
import time
import uuid
import zipfile
from pathlib import Path

import pytest
from django.conf import settings as site_settings
from django.core.management import CommandError, call_command
from django.db import connection
from django.db.migrations.loader import MigrationLoader

from operations.archive import export as export_module
from operations.archive.manifest import FORMAT, NAME, UPGRADES, open_archive, read_manifest
from operations.archive.rows import path_rewriter
from system.account import secrets
from system.account.tokens import digest_of
from system.data_folder import FolderLock
from tests.archives import files_of, rows_of
from tests.making import make_preset, make_run, make_token, make_user
from tests.operations.doctor.doctor_world import data_file, told_run
from training.models import Artifact, Run

pytestmark = pytest.mark.django_db


@pytest.fixture(autouse=True)
def a_data_folder_of_its_own(settings, tmp_path):
    settings.DATA_DIR = tmp_path / "data"
    (settings.DATA_DIR / "runs").mkdir(parents=True)


@pytest.fixture
def archive(tmp_path):
    path = tmp_path / "archive.zip"

    def make(*options):
        path.unlink(missing_ok=True)
        call_command("export_all", str(path), *options)
        return path

    return make


@pytest.fixture
def empty(settings, tmp_path):
    """A new installation."""

    def clear():
        Run.objects.all().delete()
        settings.DATA_DIR = tmp_path / "new"
        (settings.DATA_DIR / "runs").mkdir(parents=True)

    return clear


def saved_model(run):
    path = data_file(f"runs/{run.pk}/model.safetensors")
    path.write_bytes(b"weights")
    return Artifact.objects.create(run=run, attempt=1, sequence=99, kind="model", path=path, size=7)


def rewritten(path, change):
    """The same archive with other members: `change` gets and returns them by name."""
    with zipfile.ZipFile(path) as old:
        members = {name: old.read(name) for name in old.namelist()}
    with zipfile.ZipFile(path, "w") as new:
        for name, content in change(members).items():
            new.writestr(name, content)
    return path


def with_manifest(**changes):
    def change(members):
        manifest = json.loads(members[NAME])
        manifest |= {name: change(manifest[name]) for name, change in changes.items()}
        return members | {NAME: json.dumps(manifest)}

    return change


# -- export ----------------------------------------------------------------------------------------------------


def test_rows_and_files_are_in_it(archive):
    run = told_run()
    saved_model(run)
    data_file("models/base/model.safetensors").write_bytes(b"base")
    path = archive()
    assert len(rows_of(path)["training.metric"]) == 10
    files = files_of(path)
    assert files["models/base/model.safetensors"] == b"base" and files[f"runs/{run.pk}/model.safetensors"] == b"weights"
    assert f"runs/{run.pk}/attempts/1/journal.jsonl" in files
    assert path.stat().st_mode & 0o077 == 0


def test_by_default_it_contains_no_key_and_no_token(archive, capsys):
    user = make_user()
    secrets.set_secret(user, "huggingface_token", "hf_planted")
    planted = [make_token(user), site_settings.SECRET_KEY, "hf_planted"]
    path = archive()
    content = json.dumps(rows_of(path)) + str(files_of(path)) + capsys.readouterr().out
    assert [secret for secret in planted if secret in content] == []
    assert "left out" in content and {"presets.secret", "system.apitoken", "authtoken.token"}.isdisjoint(rows_of(path))
    path = archive("--with-secrets")
    content = json.dumps(rows_of(path)) + str(files_of(path))
    assert digest_of(planted[0]) in content and planted[1] in content
    assert planted[0] not in content  # only its hash is stored
    assert "hf_planted" not in content  # it stays encrypted


def test_models_and_backups_may_be_left_out(archive):
    run = told_run()
    saved_model(run)
    data_file("models/base/model.safetensors").write_bytes(b"base")
    names = files_of(archive("--without-models", "--without-backups"))
    assert [name for name in names if "model" in name or "backup" in name] == []
    assert any("samples" in name for name in names)


def test_a_run_that_trains_comes_along_as_its_rows_know_it(archive):
    run = told_run(status=Run.Status.RUNNING)
    journal = run.attempt_folder / "journal.jsonl"
    known = journal.read_bytes()
    with journal.open("ab") as file:
        file.write(b'{"sequence": 10, "time": 1.0, "kind": "warn')
    for name in ("attempts/1/control.json", "attempts/2/journal.jsonl", "workspace/backup/new.partial", "late.png"):
        data_file(f"runs/{run.pk}/{name}").write_text("not yet")
    os.utime(run.folder / "late.png", (time.time() + 60, time.time() + 60))
    files = files_of(archive())
    assert files[f"runs/{run.pk}/attempts/1/journal.jsonl"] == known
    assert [name for name in files if "not yet" in files[name].decode(errors="replace")] == []


def test_a_file_that_is_deleted_during_archiving_is_left_out_and_reported(archive, monkeypatch, capsys):
    run = told_run()
    gone = saved_model(run)
    entries = list(export_module.Tree(time.time()).entries())
    Path(gone.path).unlink()
    monkeypatch.setattr(export_module.Tree, "entries", lambda tree: entries)
    archive()
    assert "1 files that newer ones replaced during the export" in capsys.readouterr().out


def test_an_archive_that_cannot_be_written_is_refused_and_leaves_nothing(archive, tmp_path, settings, monkeypatch):
    (tmp_path / "there.zip").touch()
    for path, why in [
        (tmp_path / "there.zip", "exists already"),
        (tmp_path / "nowhere" / "a.zip", "There is no folder"),
        (settings.DATA_DIR / "a.zip", "is in the data folder"),
    ]:
        with pytest.raises(CommandError, match=why):
            call_command("export_all", str(path))
    monkeypatch.setattr(export_module.shutil, "disk_usage", lambda path: shutil._ntuple_diskusage(1, 1, 0))
    with pytest.raises(CommandError, match="0.0 GB are free"):
        archive()
    monkeypatch.undo()
    monkeypatch.setattr(export_module, "dump", no_room)
    with pytest.raises(CommandError, match="No space left"):
        archive()
    assert sorted(path.name for path in tmp_path.iterdir()) == ["data", "there.zip"]


def no_room(*args):
    raise OSError(28, "No space left on device")


# -- import ----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("fill", [make_run, make_user, make_preset])
def test_an_installation_in_use_is_refused(archive, fill):
    path = archive()
    fill()
    with pytest.raises(CommandError, match="in use"):
        call_command("import_all", str(path))


def test_a_site_that_runs_is_refused(archive, settings):
    path = archive()
    with FolderLock(settings.DATA_DIR), pytest.raises(CommandError, match="served already"):
        call_command("import_all", str(path))


def flip(member):
    """Change a byte of a file in the archive, as a bad disk would."""

    def damage(path):
        with zipfile.ZipFile(path) as archive:
            info = next(info for info in archive.infolist() if member in info.filename)
        content = bytearray(path.read_bytes())
        content[info.header_offset + 30 + len(info.filename) + 20 + info.compress_size // 2] ^= 0xFF
        path.write_bytes(content)

    return damage


def drop(member):
    return lambda path: rewritten(
        path, lambda members: {name: content for name, content in members.items() if member not in name}
    )


@pytest.mark.parametrize(
    ("damage", "why"),
    [
        (lambda path: path.write_bytes(path.read_bytes()[:-100]), "not a complete zip file"),
        (lambda path: path.write_text("no zip"), "not a complete zip file"),
        (lambda path: path.unlink(), "There is no file"),
        (lambda path: rewritten(path, lambda members: {"a": b"b"}), "manifest.json in the archive is missing"),
        (lambda path: rewritten(path, with_manifest(kind=lambda kind: "other")), "was not made by"),
        (lambda path: rewritten(path, with_manifest(format=lambda number: number + 1)), "update the program first"),
        (lambda path: rewritten(path, with_manifest(migrations=lambda all: [("system", "0999_x")])), "A newer program"),
        (lambda path: rewritten(path, with_manifest(files=lambda all: {"../a": {}})), "does not belong"),
        (lambda path: rewritten(path, with_manifest(files=lambda all: {"/etc/a/b": {}})), "does not belong"),
        (flip("1.png"), r"samples/1\.png in the archive is damaged"),
        (flip("journal.jsonl"), r"journal\.jsonl in the archive is damaged"),
        (flip("training.metric"), r"rows/training\.metric\.jsonl in the archive is damaged"),
        (drop("training.metric"), r"rows/training\.metric\.jsonl in the archive is damaged or missing"),
        (drop("1.png"), r"samples/1\.png in the archive is damaged or missing"),
    ],
)
def test_a_damaged_archive_is_refused_by_name_before_anything_is_touched(archive, empty, settings, damage, why):
    told_run()
    path = archive()
    empty()
    damage(path)
    with pytest.raises(CommandError, match=why):
        call_command("import_all", str(path))
    assert not Run.objects.exists()
    assert [file for file in settings.DATA_DIR.rglob("*") if file.is_file() and file.name != "serve.lock"] == []


def test_an_older_form_of_an_archive_is_brought_to_the_present_one(archive, monkeypatch):
    path = rewritten(archive(), with_manifest(format=lambda number: number - 1))
    monkeypatch.setitem(UPGRADES, FORMAT - 1, lambda facts: facts | {"made_at": "now"})
    with open_archive(path) as opened:
        assert read_manifest(opened).made_at == "now"


OLD_CHECK = {
    "id": str(uuid.uuid4()),
    "config": {},
    "engine": "builtin",
    "status": "waiting",
    "worker": "",
    "stage": "",
    "current": 0,
    "total": 0,
    "problems": [],
    "estimate": {},
    "error": "",
    "created_at": "2026-01-01T00:00:00+00:00",
}


def test_an_archive_of_an_older_database_is_imported_and_migrated(archive, tmp_path):
    """What was going on is over, what did not come along is marked as removed, and old checks are left out."""
    run = told_run(status=Run.Status.RUNNING)
    run.commands.create(attempt=1, kind="backup")
    make_run("Lost", Run.Status.INTERRUPTED, error_reason="lost_worker")
    model = saved_model(run)
    path = archive("--without-models")

    def made_before_there_were_jobs(members):
        younger = ("system.", "presets.dataset")
        older = {"system": "0002_milestone", "presets": "0003_drafts_preflights_secrets"}
        lines = b"".join(json.dumps(row).encode() + b"\n" for row in (list(OLD_CHECK), list(OLD_CHECK.values())))
        facts_of_lines = {"sha256": hashlib.sha256(lines).hexdigest(), "size": len(lines), "count": 1}
        own = with_manifest(
            migrations=lambda leaves: [(app, older.get(app, name)) for app, name in leaves],
            rows=lambda rows: {
                **{label: facts for label, facts in rows.items() if not label.startswith(younger)},
                "presets.preflight": facts_of_lines,
            },
        )
        later = tuple(f"rows/{label}" for label in younger)
        kept = {name: content for name, content in members.items() if not name.startswith(later)}
        return own({**kept, "rows/presets.preflight.jsonl": lines})

    new = tmp_path / "new"
    imported(rewritten(path, made_before_there_were_jobs), new)
    with sqlite3.connect(new / "db.sqlite3") as rows:
        states = rows.execute("SELECT DISTINCT status, error_reason FROM training_run").fetchall()
        assert states == [("interrupted", "interrupted")]
        assert rows.execute("SELECT status FROM training_runcommand").fetchall() == [("expired",)]
        assert rows.execute("SELECT count(*) FROM training_metric").fetchone() == (10,)
        assert rows.execute("SELECT count(*) FROM system_job").fetchone() == (0,)
        paths = dict(rows.execute("SELECT path, deleted_at IS NOT NULL FROM training_artifact").fetchall())
    assert paths.pop(str(new / "runs" / str(run.pk) / Path(model.path).name)) == 1
    (backup,) = paths
    assert Path(backup).is_dir() and backup.startswith(str(new))
    assert Artifact.objects.get(kind="backup").created_at  # the old site has lost nothing


def test_an_archive_without_the_progress_table_is_imported(archive, tmp_path):
    run = told_run(status=Run.Status.FINISHED)
    run.progress.write(global_step=20, smooth_loss=0.25, times={"backup": 3.5})
    new = tmp_path / "new"
    imported(rewritten(archive(), made_before_progress_had_a_table), new)
    with sqlite3.connect(new / "db.sqlite3") as rows:
        facts = "global_step, smooth_loss, times, journal_offset"
        told = rows.execute(f"SELECT run_id, {facts} FROM training_runprogress").fetchall()
    assert told == [(run.pk.hex, 20, 0.25, '{"backup": 3.5}', run.progress.journal_offset)]


def made_before_progress_had_a_table(members):
    """Its columns were among those of the runs."""
    runs, progress = (f"rows/training.{name}.jsonl" for name in ("run", "runprogress"))
    version = ("training", "0016_time_left")
    model = MigrationLoader(connection).project_state(version).apps.get_model("training", "run")
    names = [field.attname for field in model._meta.concrete_fields]
    places = {place["run_id"]: place for place in rows_in(members.pop(progress))}
    lines = rows_in(members[runs])
    rows = [line | places[line["id"]] for line in lines]
    content = "".join(
        f"{json.dumps(line)}\n" for line in [names, *([row[name] for name in names] for row in rows)]
    ).encode()
    rewrite = with_manifest(
        migrations=lambda leaves: [leaf for leaf in leaves if leaf[0] != "training"] + [version],
        rows=lambda rows: (
            {label: facts for label, facts in rows.items() if label != "training.runprogress"}
            | {
                "training.run": {
                    "count": len(lines),
                    "size": len(content),
                    "sha256": hashlib.sha256(content).hexdigest(),
                }
            }
        ),
    )
    return rewrite(members | {runs: content})


def rows_in(content):
    names, *lines = map(json.loads, content.splitlines())
    return [dict(zip(names, line, strict=True)) for line in lines]


def imported(path, folder):
    environment = {name: value for name, value in os.environ.items() if name not in ("DATABASE_URL", "SECRET_KEY")}
    done = subprocess.run(
        [sys.executable, "manage.py", "import_all", str(path)],
        cwd=site_settings.BASE_DIR,
        env=environment | {"DATA_DIR": str(folder)},
        capture_output=True,
        text=True,
    )
    assert done.returncode == 0, done.stderr


def test_paths_move_wherever_a_value_is_one():
    rewrite = path_rewriter({"/old": "/new", "/old/in/it": "/elsewhere"})
    before = {"path": "/old/a", "deep": [{"b": "/old/in/it/c"}, "/older", "see /old/a", 3, None]}
    assert rewrite(before) == {"path": "/new/a", "deep": [{"b": "/elsewhere/c"}, "/older", "see /old/a", 3, None]}
