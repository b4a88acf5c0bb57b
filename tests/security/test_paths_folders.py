"""Attacks on the folders that an admin opens: by others, and by a folder that would open too much."""

from pathlib import Path

import pytest

from system.audit.models import AuditEntry
from web.models import AllowedFolder


@pytest.mark.parametrize("person", ["nobody", "viewer", "trainer"])
def test_only_an_admin_opens_and_closes_folders(clients, tmp_path, person):
    folder = AllowedFolder.objects.create(path="/somewhere")
    clients[person].post("/system/folders/", {"path": str(tmp_path)})
    clients[person].post(f"/system/folders/{folder.pk}/remove/")
    assert list(AllowedFolder.objects.values_list("path", flat=True)) == ["/somewhere"]


def test_an_admin_opens_a_folder_for_trainers_and_closes_it_again(clients, settings, tmp_path):
    settings.ALLOWED_ROOTS = []
    (tmp_path / "pictures").mkdir()
    look = {"path": str(tmp_path / "pictures")}
    assert clients["trainer"].get("/concepts/preview/", look).status_code == 400
    answer = clients["admin"].post("/system/folders/", {"path": str(tmp_path)}, follow=True)
    assert str(tmp_path) in answer.content.decode()
    assert clients["trainer"].get("/concepts/preview/", look).status_code == 200
    clients["admin"].post(f"/system/folders/{AllowedFolder.objects.get().pk}/remove/")
    assert clients["trainer"].get("/concepts/preview/", look).status_code == 400
    actions = list(AuditEntry.objects.filter(action__startswith="allowed_folder").values_list("action", flat=True))
    assert sorted(actions) == ["allowed_folder.created", "allowed_folder.deleted"]


def refused_folders(tmp_path, settings):
    (tmp_path / "etc").symlink_to("/etc")
    (tmp_path / ".hidden").mkdir()
    (tmp_path / "file").touch()
    return [
        *("/", "/etc", "/etc/ssl", "/proc", "/proc/self", "/sys", "/dev", "/usr/share", "/var/log", "/home", "/tmp"),
        *("~", str(Path.home()), str(Path.home().parent), "~/.ssh", "", "relative", "../..", "/etc\x00"),
        *(str(tmp_path / name) for name in ("etc", ".hidden", "file", "none", "x/../.hidden")),
        *(str(place) for place in (settings.DATA_DIR, settings.DATA_DIR / "runs", settings.DATA_DIR.parent)),
        *(str(place) for place in (settings.BASE_DIR, settings.BASE_DIR / "engine")),
    ]


def test_a_folder_of_the_system_a_hidden_one_and_a_whole_home_are_refused(clients, settings, tmp_path):
    for path in refused_folders(tmp_path, settings):
        answer = clients["admin"].post("/system/folders/", {"path": path})
        assert answer.status_code == 302 and not AllowedFolder.objects.exists(), path
