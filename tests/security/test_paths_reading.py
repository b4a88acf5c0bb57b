"""Attacks on what the site reads: by a path, through a link, from a hidden folder, in the shape of a config."""

import json
import os

import pytest
from PIL import Image

from presets.config.files import load_config_file
from tests.making import make_user
from training.models import Run
from web.errors import BadInput

SECRET = "s3cr3t-of-another-program"


@pytest.fixture
def world(settings, tmp_path, clients):
    """An open folder with pictures, a closed one beside it, and links and hidden files in the open one."""
    settings.ALLOWED_ROOTS = [tmp_path / "open"]
    for name in ("open/pictures", "open/.ssh", "closed"):
        (tmp_path / name).mkdir(parents=True)
        Image.new("RGB", (64, 64)).save(tmp_path / name / "a.png")
        (tmp_path / name / "a.txt").write_text(SECRET if "pictures" not in name else "a star")
    (tmp_path / "open/pictures/out").symlink_to(tmp_path / "closed")
    (tmp_path / "open/pictures/hid").symlink_to(tmp_path / "open/.ssh")
    return tmp_path


def forms(world):
    """The closed and the hidden folder, each written in several ways."""
    opened = world / "open"
    return [
        world / "closed",
        opened / "../closed",
        opened / "pictures/out",
        opened / ".ssh",
        opened / "pictures/../.ssh",
        opened / "pictures/hid",
        "/etc",
        "~",
        "~/.ssh",
        "/proc/self/root/etc",
        f"/proc/{os.getpid()}/cwd",
        f"{opened}\x00/closed",
    ]


def test_no_way_of_writing_a_path_lists_previews_or_shows_what_is_closed(world, clients):
    trainer = clients["trainer"]
    for path in map(str, forms(world)):
        for kind in ("folder", "file", "model", "save"):
            answer = trainer.get("/browse/", {"path": path, "kind": kind})
            assert answer.status_code in (400, 404) and "a.png" not in answer.content.decode(), path
        assert trainer.get("/concepts/preview/", {"path": path}).status_code in (400, 404), path
        assert trainer.get("/concepts/picture/", {"path": f"{path}/a.png"}).status_code in (400, 404), path


def test_hidden_names_and_links_outside_are_not_listed(world, clients):
    listed = clients["trainer"].get("/browse/", {"path": str(world / "open"), "kind": "file"}).content.decode()
    assert ".ssh" not in listed
    listed = clients["trainer"].get("/browse/", {"path": str(world / "open/pictures"), "kind": "file"}).content.decode()
    assert "a.png" in listed and str(world / "open/pictures/out") not in listed


@pytest.mark.parametrize("name", ["closed/a.txt", "open/.ssh/a.txt", "open/pictures/out/a.txt", "open/key.pem"])
def test_a_caption_preview_shows_no_first_line_of_any_other_text(world, clients, name):
    (world / "open/key.pem").write_text(SECRET)
    query = {"path": str(world / "open/pictures"), "prompt_source": "concept", "prompt_path": str(world / name)}
    assert SECRET not in clients["trainer"].get("/concepts/preview/", query).content.decode()


def test_a_caption_beside_a_picture_that_is_a_link_is_not_read(world, clients):
    (world / "open/pictures/a.txt").unlink()
    (world / "open/pictures/a.txt").symlink_to(world / "closed/a.txt")
    answer = clients["trainer"].get("/concepts/preview/", {"path": str(world / "open/pictures")})
    assert answer.status_code == 200 and SECRET not in answer.content.decode()


FOREIGN = {
    "docker.json": {"auths": {"registry": {"auth": SECRET}}},
    "with_a_known_key.json": {"seed": 1, "token": SECRET, "password": SECRET},
    "package.json": {"name": "x", "scripts": {"postinstall": SECRET}},
    "settings.yaml": f"database: {SECRET}\nhost: here\n",
    "settings.toml": f'[database]\npassword = "{SECRET}"\n',
}


@pytest.mark.parametrize("name", FOREIGN)
def test_a_file_that_is_no_config_is_refused_without_a_word_of_it(world, clients, name):
    content = FOREIGN[name]
    (world / "open" / name).write_text(content if isinstance(content, str) else json.dumps(content))
    body = json.dumps({"config_path": str(world / "open" / name)})
    answer = clients["trainer"].post("/api/training/start", body, content_type="application/json")
    assert answer.status_code == 400 and "config_path" in answer.json()["errors"]
    assert SECRET not in answer.content.decode()


def test_keys_that_no_engine_knows_stay_in_the_file(world):
    (world / "open/run.json").write_text(
        json.dumps({"epochs": 3, "batch_size": 2, "token": SECRET, "optimizer": {"optimizer": "ADAMW", "key": SECRET}})
    )
    assert load_config_file(str(world / "open/run.json")) == {
        "epochs": 3,
        "batch_size": 2,
        "optimizer": {"optimizer": "ADAMW"},
    }


@pytest.mark.parametrize("field", ["concept_file_name", "sample_definition_file_name"])
@pytest.mark.parametrize("content", [[{"password": SECRET}], [SECRET], {"password": SECRET}])
def test_a_list_of_something_else_is_refused(world, clients, field, content):
    (world / "open/list.json").write_text(json.dumps(content))
    body = json.dumps({field: str(world / "open/list.json")})
    answer = clients["trainer"].post("/api/config/validate", body, content_type="application/json")
    assert field in [one["field"] for one in answer.json()["errors"]]
    assert SECRET not in answer.content.decode()


@pytest.mark.parametrize(
    "name", ["/etc/passwd", "{}/closed/a.json", "{}/open/.ssh/a.json", "{}/open/pictures/out/a.json"]
)
def test_a_config_is_not_read_from_a_closed_place(world, name):
    (world / "closed/a.json").write_text('{"epochs": 3}')
    (world / "open/.ssh/a.json").write_text('{"epochs": 3}')
    with pytest.raises(BadInput, match="outside|hidden"):
        load_config_file(name.format(world))


def test_the_files_of_runs_that_are_the_sites_own_are_closed(settings, tmp_path, clients):
    settings.DATA_DIR, settings.ALLOWED_ROOTS = tmp_path / "data", [tmp_path]
    for name in ("secret_key", "db.sqlite3", "runs/1/attempts/1/control.json", "runs/1/attempts/1/spec.json"):
        (tmp_path / "data" / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / "data" / name).write_text('{"epochs": 3}')
        with pytest.raises(BadInput, match="belongs to the site"):
            load_config_file(str(tmp_path / "data" / name))
    answer = clients["trainer"].get("/browse/", {"path": str(tmp_path / "data/runs/1"), "kind": "file"})
    assert str(tmp_path / "data/runs/1/attempts") not in answer.content.decode()


def test_the_home_folder_is_not_open_by_itself(settings, monkeypatch, tmp_path, clients):
    settings.ALLOWED_ROOTS = []
    monkeypatch.setenv("HOME", str(tmp_path))
    (tmp_path / "pictures").mkdir()
    for path in ("~", "~/pictures", str(tmp_path / "pictures")):
        answer = clients["trainer"].get("/concepts/preview/", {"path": path})
        assert answer.status_code == 400 and "ask an admin" in answer.content.decode()


def test_a_custom_sample_names_no_other_picture(world):
    from training.runs.service import TrainerService

    service = TrainerService(make_user("eve"))
    run = Run(config={}, status=Run.Status.RUNNING)
    for name in ("closed/a.png", "open/.ssh/a.png"):
        with pytest.raises(BadInput):
            asked = {"prompt": "x", "sample_inpainting": True, "base_image_path": str(world / name)}
            service.sample_custom(asked, run)
