"""Files that are sent into a data set: taken in, refused with the reason, converted, freed of their position."""

from __future__ import annotations

import io
import zipfile

import pytest
from django.core.files.uploadedfile import SimpleUploadedFile
from PIL import Image

from operations.job_work import do
from presets.models import DataSetUpload
from system.models import Job
from tests.api import trainer
from tests.presets.datasets.sending import begin, make_set, names_in, picture, put, send

pytestmark = pytest.mark.django_db


@pytest.fixture
def client():
    return trainer()


@pytest.fixture
def rex():
    return make_set()


def work() -> None:
    """Do the waiting jobs as a worker would."""
    for job in Job.objects.filter(status=Job.Status.WAITING):
        assert job.take("here")
        do(job)
        job.refresh_from_db()
        assert job.status == Job.Status.DONE, job.detail


def test_a_picture_and_its_caption_become_two_files_beside_each_other(client, rex):
    assert send(client, rex, "a.png", picture())["status"] == "done"
    assert send(client, rex, "a.txt", b"a red dog")["status"] == "done"
    assert names_in(rex) == ["a.png", "a.txt"]
    row = rex.pictures.get()
    assert (row.name, row.caption, row.width, row.height) == ("a.png", "a red dog", 64, 48)


def test_a_caption_and_a_mask_may_come_before_their_picture(client, rex):
    assert "waits" in send(client, rex, "a.txt", b"a dog")["detail"]
    send(client, rex, "a-masklabel.png", picture("white"))
    send(client, rex, "a.png", picture())
    row = rex.pictures.get()
    assert (row.caption, bool(row.mask)) == ("a dog", True)
    assert names_in(rex) == ["a-masklabel.png", "a.png", "a.txt"]


@pytest.mark.parametrize(
    ("name", "content", "reason"),
    (
        ("a.exe", b"MZ", "not a picture"),
        ("a.png", b"", "empty"),
        ("a.png", b"<html>", "not a picture in a known format"),
        ("a.jpg", b"\xff\xd8\xff\xe0 nothing", "cannot be read"),
        ("a.svg", b"<svg/>", "not a picture"),
        ("a-condlabel.png", picture(), "not a picture"),
    ),
)
def test_a_file_that_no_trainer_reads_is_refused_with_the_reason(client, rex, name, content, reason):
    body = {"file": [SimpleUploadedFile(name, content)]}
    answer = client.post(f"/api/datasets/{rex.pk}/pictures", body, format="multipart").json()
    assert reason in str(answer)
    assert names_in(rex) == []


def test_one_refused_file_does_not_stop_the_others(client, rex):
    files = [SimpleUploadedFile("b.exe", b"MZ"), SimpleUploadedFile("a.png", picture())]
    answer = client.post(f"/api/datasets/{rex.pk}/pictures", {"file": files}, format="multipart").json()
    assert [one["status"] for one in answer["results"]] == ["refused", "done"]


def test_the_same_content_is_not_stored_twice(client, rex):
    send(client, rex, "a.png", picture())
    again = send(client, rex, "b.png", picture())
    assert (again["status"], again["name"]) == ("duplicate", "a.png")
    assert names_in(rex) == ["a.png"]


def test_another_picture_of_the_same_name_gets_a_number_and_its_own_caption(client, rex):
    send(client, rex, "a.png", picture())
    send(client, rex, "a.txt", b"red")
    assert send(client, rex, "a.jpg", picture("blue", kind="JPEG"), batch="second")["name"] == "a (2).jpg"
    send(client, rex, "a.txt", b"blue", batch="second")
    assert dict(rex.pictures.values_list("name", "caption")) == {"a.png": "red", "a (2).jpg": "blue"}


def test_names_that_lead_elsewhere_are_made_harmless(client, rex):
    assert send(client, rex, "../../evil.png", picture())["name"] == "evil.png"
    assert names_in(rex) == ["evil.png"]


def gps_jpeg() -> bytes:
    exif = Image.Exif()
    exif[0x010F] = "Phone"
    exif[0x0112] = 6
    exif.get_ifd(0x8825).update({1: "N", 2: (52.0, 31.0, 12.0), 3: "E", 4: (13.0, 24.0, 18.0)})
    return picture("green", (40, 20), "JPEG", exif=exif)


def test_the_place_where_a_photo_was_taken_is_removed_and_its_orientation_stays(client, rex):
    content = gps_jpeg()
    assert Image.open(io.BytesIO(content)).getexif().get_ifd(0x8825)
    assert "place" in send(client, rex, "a.jpg", content)["detail"]
    exif = Image.open(rex.folder / "a.jpg").getexif()
    assert not exif.get_ifd(0x8825)
    assert (exif[0x010F], exif[0x0112]) == ("Phone", 6)
    row = rex.pictures.get()
    assert (row.width, row.height) == (20, 40)
    assert send(client, rex, "again.jpg", content)["status"] == "duplicate"


@pytest.mark.parametrize(("kind", "name"), (("PNG", "a.png"), ("WEBP", "a.webp")))
def test_the_place_is_removed_from_other_formats_too(client, rex, kind, name):
    exif = Image.Exif()
    exif.get_ifd(0x8825).update({1: "N", 2: (52.0, 31.0, 12.0)})
    send(client, rex, name, picture("green", (40, 20), kind, exif=exif))
    stored = Image.open(rex.folder / name)
    stored.load()
    assert not stored.getexif().get_ifd(0x8825)


@pytest.mark.parametrize(("kind", "sent", "stored"), (("HEIF", "a.heic", "a.jpg"), ("TIFF", "a.tif", "a.png")))
def test_a_format_that_some_trainers_do_not_read_is_converted_by_a_worker(client, rex, kind, sent, stored):
    upload = send(client, rex, sent, picture("red", kind=kind), keep_original="true")
    assert upload["status"] == "waiting"
    work()
    answer = client.get(f"/api/datasets/uploads/{upload['id']}").json()
    assert (answer["status"], answer["name"]) == ("done", stored)
    assert names_in(rex) == [f".originals/{sent}", stored]
    assert Image.open(rex.folder / stored).size == (64, 48)


def test_a_heic_photo_under_the_name_of_a_jpeg_is_recognized(client, rex):
    assert send(client, rex, "a.jpg", picture(kind="HEIF"))["status"] == "waiting"


def zipped(**members: bytes) -> bytes:
    target = io.BytesIO()
    with zipfile.ZipFile(target, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, content in members.items():
            archive.writestr(name, content)
    return target.getvalue()


def test_a_zip_is_unpacked_by_a_worker_and_each_bad_member_is_refused_by_itself(client, rex):
    members = {
        "set/a.png": picture("red"),
        "set/a.txt": b"a dog",
        "set/side/a.png": picture("blue"),
        "set/side/a.txt": b"its side",
        "set/../../evil.png": picture("green"),
        "set/bomb.bmp": bytes(5_000_000),
        "set/run.exe": b"MZ",
        "__MACOSX/set/._a.png": b"x",
    }
    upload = send(client, rex, "set.zip", zipped(**members))
    assert upload["status"] == "waiting"
    work()
    answer = client.get(f"/api/datasets/uploads/{upload['id']}").json()
    assert answer["status"] == "done"
    assert {one["name"] for one in answer["refused"]} == {"set/../../evil.png", "set/bomb.bmp", "set/run.exe"}
    captions = dict(rex.pictures.values_list("name", "caption"))
    assert captions == {"a.png": "a dog", "side_a.png": "its side"}
    assert not DataSetUpload.objects.get().part.exists()


def test_what_is_no_zip_file_is_refused_as_a_whole(client, rex):
    upload = send(client, rex, "set.zip", b"PK nothing")
    work()
    answer = client.get(f"/api/datasets/uploads/{upload['id']}").json()
    assert (answer["status"], "not a readable zip" in answer["detail"]) == ("refused", True)


def test_an_upload_continues_after_a_cut_where_the_server_says(client, rex):
    content = picture(size=(300, 300), kind="BMP")
    address = begin(client, rex, "a.bmp", len(content)).headers["Location"]
    assert put(client, address, 0, content[:1000]).headers["Upload-Offset"] == "1000"
    assert put(client, address, 0, content[:1000]).status_code == 409
    head = client.head(address)
    assert (head.headers["Upload-Offset"], head.headers["Upload-Length"]) == ("1000", str(len(content)))
    assert put(client, address, 1000, content[1000:]).status_code == 204
    assert client.get(address).json()["status"] == "done"
    assert (rex.folder / "a.bmp").read_bytes() == content


def test_a_damaged_piece_counts_for_nothing(client, rex):
    address = begin(client, rex, "a.bmp", 8).headers["Location"]
    wrong = "sha256 47DEQpj8HBSa+/TImW+5JCeuQeRkm5NMpJWZG3hSuFU="  # of nothing
    assert put(client, address, 0, b"BM", **{"Upload-Checksum": wrong}).status_code == 460
    assert client.head(address).headers["Upload-Offset"] == "0"


def test_more_bytes_than_announced_are_refused(client, rex):
    address = begin(client, rex, "a.bmp", 2).headers["Location"]
    assert put(client, address, 0, b"BMBM").status_code == 413
    assert client.head(address).headers["Upload-Offset"] == "0"


def test_a_cancelled_upload_leaves_nothing(client, rex):
    address = begin(client, rex, "a.bmp", 8).headers["Location"]
    part = DataSetUpload.objects.get().part
    assert client.delete(address, headers={"Tus-Resumable": "1.0.0"}).status_code == 204
    assert (part.exists(), client.head(address).status_code) == (False, 404)


@pytest.mark.parametrize(("name", "size", "status"), (("a.exe", 8, 400), ("a.png", 10**9, 400), ("a.zip", 10**15, 413)))
def test_a_file_that_will_be_refused_is_refused_before_it_is_sent(client, rex, name, size, status):
    assert begin(client, rex, name, size).status_code == status


def test_another_version_of_the_protocol_is_refused(client, rex):
    assert client.post(f"/api/datasets/{rex.pk}/uploads").status_code == 412
