"""The doctor's page: for admins, done by a worker."""

import pytest

from operations.doctor.ask import ask_for_examination
from operations.job_work import do
from system.models import Job
from tests.making import make_run, make_user
from training.models import RunCommand

pytestmark = pytest.mark.django_db
POLLS = 'hx-trigger="every 2s"'


@pytest.fixture
def admin(client):
    client.force_login(make_user(is_staff=True))
    return client


@pytest.fixture
def work(monkeypatch, settings, tmp_path):
    """Do the job that was asked for, as a worker's process would; without importing torch."""
    settings.DATA_DIR = tmp_path
    monkeypatch.setattr("operations.doctor.gpu._torch", lambda devices: iter(()))

    def work():
        job = Job.objects.get()
        assert job.take("here:cpu")
        do(job)

    return work


@pytest.mark.parametrize("path", ["/system/doctor/", "/system/doctor/report.txt"])
def test_only_admins_may_look(client, path):
    client.force_login(make_user())
    assert client.get(path).status_code == 403


def test_only_admins_may_have_it_examined(client):
    client.force_login(make_user())
    assert client.post("/system/doctor/examine/").status_code == 403
    assert not Job.objects.exists()


def test_an_examination_is_requested_done_shown_and_downloaded(admin, work):
    assert admin.get("/system/doctor/report.txt").status_code == 404
    run = make_run(name="A secret portrait", status="finished")
    run.commands.create(attempt=1, kind="backup")
    admin.post("/system/doctor/examine/")
    assert POLLS in admin.get("/system/doctor/").content.decode()
    work()
    page = admin.get("/system/doctor/").content.decode()
    assert "1 command of it still open" in page and POLLS not in page
    answer = admin.get("/system/doctor/report.txt")
    assert answer["Content-Disposition"].startswith("attachment")
    assert "1 command of it still open" in answer.content.decode()
    assert "A secret portrait" not in page + answer.content.decode()
    assert RunCommand.objects.get().status == RunCommand.Status.REQUESTED


def test_it_repairs_on_request(admin, work):
    make_run(status="finished").commands.create(attempt=1, kind="backup")
    admin.post("/system/doctor/examine/", {"mend": "on"})
    work()
    assert RunCommand.objects.get().status == RunCommand.Status.EXPIRED
    assert "mended" in admin.get("/system/doctor/").content.decode()


def test_a_second_click_begins_no_second_one():
    assert ask_for_examination() == ask_for_examination()


def test_where_no_worker_lives_the_page_names_the_command(admin):
    ask_for_examination()
    assert "manage.py doctor" in admin.get("/system/doctor/").content.decode()
