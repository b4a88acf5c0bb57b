"""What pages say of a disk that runs full."""

from collections import namedtuple

import pytest

from operations import disk_notice as disk
from system.disk import DiskWatch
from tests.making import make_living_worker, make_run, make_user
from tests.training.files import make_backup
from training.models import Run

pytestmark = pytest.mark.django_db
GB = 10**9


@pytest.fixture(autouse=True)
def anew():
    disk._notice.cache_clear()
    yield
    disk._notice.cache_clear()


@pytest.fixture
def free(monkeypatch):
    """Have so many bytes free."""

    def have(count):
        usage = namedtuple("Usage", "total used free")(100 * GB, 100 * GB - count, count)
        monkeypatch.setattr("shutil.disk_usage", lambda path: usage)

    return have


def test_with_enough_free_space_there_is_no_notice(free):
    free(50 * GB)
    assert disk.notice() is None


def test_little_free_space_is_warned_of_on_every_page(free, client):
    free(2 * GB)
    client.force_login(make_user("ada", is_staff=True))
    page = client.get("/runs/").content.decode()
    assert "2.0 GB free on the disk of the data folder." in page and "/system/cleanup/" in page


def test_a_full_disk_says_what_is_left_out(free, client):
    free(1000)
    client.force_login(make_user("ada", is_staff=True))
    assert "backups and saves are skipped until there is space" in client.get("/system/disk/").content.decode()


def test_a_backup_that_will_not_fit_is_reported_before_it_is_due(free):
    free(8 * GB)
    run = make_run("Big", Run.Status.RUNNING)
    make_backup(run, 1, size=9 * GB)
    assert disk.notice().sentences == ["The next backup of “Big” needs 9.5 GB and would be left out."]


def test_a_disk_that_will_be_full_within_a_day_is_reported_even_with_much_free_space(free):
    free(60 * GB)
    facts = {"free": 30 * GB, "total": 100 * GB, "shrinks_by": 10 * GB}
    make_living_worker("gpu0", host="trainer", resources={"disk": facts})
    assert disk.notice() is None, "nothing trains: another program fills the disk"
    make_run(status=Run.Status.RUNNING)
    disk._notice.cache_clear()
    (sentence,) = disk.notice().sentences
    assert sentence == "30.0 GB free on the disk of trainer. At the current rate it will be full in about 3 hours."


def test_a_worker_reports_how_fast_the_disk_fills(free, monkeypatch):
    watch, seconds = DiskWatch(), iter([0.0, 60.0, 720.0])
    monkeypatch.setattr("system.disk.time.monotonic", lambda: next(seconds))
    speeds = []
    for left in (30, 29, 18):
        free(left * GB)
        speeds.append(watch.read()["shrinks_by"])
    assert speeds == [0, 0, 60 * GB]
