"""Small pictures of samples."""

from __future__ import annotations

import io

import av
import pytest
from PIL import Image

from samples.models import Sample
from samples.thumbnails import kept_at
from tests.api import content, viewer
from tests.making import make_run
from training.runs.removal import delete_with_files

pytestmark = pytest.mark.django_db


@pytest.fixture
def api():
    return viewer()


def make_sample(name, **fields):
    run = make_run()
    run.folder.mkdir(parents=True, exist_ok=True)
    return Sample.objects.create(run=run, attempt=1, sequence=1, path=str(run.folder / name), **fields)


def ask(api, sample, **headers):
    return api.get(sample.get_thumbnail_url(), headers=headers)


def shown(answer):
    assert answer.status_code == 200 and answer.headers["Content-Type"] == "image/webp"
    return Image.open(io.BytesIO(content(answer)))


def make_video(path):
    with av.open(str(path), "w") as video:
        stream = video.add_stream("mpeg4", rate=8)
        stream.width, stream.height, stream.pix_fmt = 640, 480, "yuv420p"
        for colour in ("red", "blue"):
            frame = av.VideoFrame.from_image(Image.new("RGB", (640, 480), colour))
            video.mux(stream.encode(frame))
        video.mux(stream.encode())


def test_a_thumbnail_is_small_and_may_be_kept_by_browsers_for_ever(api):
    sample = make_sample("1.png")
    Image.new("RGB", (1024, 512)).save(sample.path)
    answer = ask(api, sample)
    assert shown(answer).size == (384, 192) and "immutable" in answer.headers["Cache-Control"]
    assert ask(api, sample, **{"if-none-match": answer.headers["ETag"]}).status_code == 304


def test_it_is_made_once_and_outlives_the_picture(api):
    sample = make_sample("1.png")
    Image.new("RGB", (1024, 512)).save(sample.path)
    shown(ask(api, sample))
    made = kept_at(sample).stat().st_mtime_ns
    sample.file.unlink()
    shown(ask(api, sample))
    assert kept_at(sample).stat().st_mtime_ns == made


def test_a_videos_is_its_first_frame(api):
    sample = make_sample("1.mp4")
    make_video(sample.file)
    small = shown(ask(api, sample)).convert("RGB")
    assert small.size == (384, 288) and small.getpixel((9, 9))[0] > 200


@pytest.mark.parametrize("name", ["1.png", "1.mp4"])
def test_a_file_that_is_broken_or_gone_has_none(api, name):
    sample = make_sample(name)
    assert ask(api, sample).status_code == 404
    sample.file.write_bytes(b"no picture")
    answer = ask(api, sample)
    assert answer.status_code == 404 and "cannot be shown" in answer.json()["detail"]


def test_a_file_outside_the_allowed_folders_is_not_looked_at(api):
    sample = make_sample("1.png")
    Sample.objects.filter(pk=sample.pk).update(path="/etc/passwd")
    assert "outside" in ask(api, sample).json()["detail"]


def test_it_goes_with_its_run(api):
    sample = make_sample("1.png")
    Image.new("RGB", (64, 64)).save(sample.path)
    shown(ask(api, sample))
    delete_with_files(sample.run)
    assert not kept_at(sample).exists()
