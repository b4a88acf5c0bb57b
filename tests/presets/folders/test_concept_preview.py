"""A concept's preview and its thumbnails: counts, captions and sizes, and nothing from outside the allowed folders."""

from __future__ import annotations

import io
import os
import struct
import zlib
from pathlib import Path

import pytest
from django.urls import reverse
from PIL import Image

from engine.builtin.config.train_config import TrainConfig
from engine.builtin.data.concepts import find_pictures, survey
from engine.builtin.data.pictures import PictureIndex
from engine.builtin.reading.decoding import decode
from presets.folders import concept_preview, thumbnails
from presets.folders.concept_preview import preview
from tests.engine.picture_files import ORIENTATION, file_of, red_is_green
from tests.making import make_user
from web.errors import BadInput, NotFound
from web.limits.table import limit

pytestmark = pytest.mark.django_db


@pytest.fixture
def root(tmp_path, settings):
    """An allowed folder beside a forbidden folder."""
    (tmp_path / "open").mkdir()
    (tmp_path / "closed").mkdir()
    draw(tmp_path / "closed" / "private.png", (40, 20))
    (tmp_path / "closed" / "private.txt").write_text("a private caption")
    settings.ALLOWED_ROOTS = [tmp_path / "open"]
    return tmp_path / "open"


@pytest.fixture(autouse=True)
def all_the_time_that_a_busy_machine_takes(settings):
    settings.FOLDER_SECONDS = 3600


def draw(path, size=(16, 16), caption=None, **options):
    path.parent.mkdir(parents=True, exist_ok=True)
    Image.new("RGB", size, "navy").save(path, **options)
    if caption is not None:
        path.with_suffix(".txt").write_text(caption)
    return path


def test_all_files_are_counted(root):
    draw(root / "1.png", caption="one")
    draw(root / "2.jpg")
    draw(root / "1-masklabel.png")
    (root / "notes.md").touch()
    (root / "lonely.txt").touch()
    draw(root / "more" / "3.png")
    found = preview(str(root))
    assert (found.pictures, found.captioned, found.uncaptioned, found.masks) == (2, 1, 1, 1)
    assert (found.other_files, found.subfolders, found.complete) == (2, 1, True)


def test_subfolders_are_counted_on_request(root):
    draw(root / "1.png")
    draw(root / "more" / "2.png", caption="two")
    found = preview(str(root), subfolders=True)
    assert (found.pictures, found.captioned) == (2, 1)
    assert [one.name for one in found.examples] == ["1.png", "more/2.png"]


@pytest.mark.parametrize("deep", [True, False])
def test_it_counts_the_pictures_that_the_trainer_uses(root, deep):
    for name in ("b.PNG", "a.webp", "x-condlabel.png", ".hidden.png", "c.gif", ".deep/d.png", "deep/e.png"):
        draw(root / name, format="PNG")
    (root / "folder.png").mkdir()
    (root / "link").symlink_to(root / "deep")
    config = TrainConfig.from_dict({"concepts": [{"path": str(root), "include_subdirectories": deep}]})
    assert preview(str(root), subfolders=deep).pictures == len(find_pictures(config.concepts[0]))


@pytest.mark.parametrize("source", ["sample", "filename", "concept"])
def test_captions_are_those_that_the_trainer_uses(root, source):
    picture = draw(root / "a star.png", caption="first \n\n second\n")
    (root / "prompts").mkdir()
    (root / "prompts" / "all.txt").write_text("\ufeffof the concept\n")
    text = {"prompt_source": source, "prompt_path": str(root / "prompts" / "all.txt")}
    config = TrainConfig.from_dict({"concepts": [{"path": str(root), "text": text}]})
    (trained,) = survey(config, PictureIndex(root)).pictures
    wanted = trained.captions
    assert trained.path == picture
    shown = preview(str(root), source=source, prompt_path=text["prompt_path"]).examples[0]
    assert (shown.caption, shown.captions) == (wanted[0], len(wanted))


def test_the_first_pictures_are_shown_in_natural_order(root):
    for number in range(12):
        draw(root / f"{number}.png")
    assert [one.name for one in preview(str(root)).examples] == [f"{number}.png" for number in range(8)]


def test_sizes_are_those_of_upright_pictures(root):
    for name, size in (("a.png", (64, 64)), ("b.png", (128, 96)), ("c.png", (32, 32))):
        draw(root / name, size)
    lying = Image.Exif()
    lying[0x0112] = 6
    draw(root / "d.jpg", (300, 200), exif=lying)
    found = preview(str(root))
    assert (found.smallest, found.median, found.largest) == ((32, 32), (128, 96), (200, 300))


@pytest.mark.parametrize(
    ("path", "kind", "sentence"),
    [
        ("", BadInput, "Choose the folder"),
        ("/etc", BadInput, "outside the allowed folders"),
        ("{root}/../closed", BadInput, "outside the allowed folders"),
        ("{root}/gone", NotFound, "does not exist"),
        ("{root}/a.txt", BadInput, "is a file"),
        ("a\x00b", BadInput, "NUL"),
        ("\ud800", BadInput, "not possible in a file name"),
        ("{root}/" + "x" * 5000, (BadInput, NotFound), "x"),
    ],
)
def test_an_unusable_path_is_refused_with_a_sentence(root, path, kind, sentence):
    (root / "a.txt").touch()
    with pytest.raises(kind, match=sentence):
        preview(path.format(root=root))


def test_nothing_is_read_through_links_to_places_outside(root):
    (root / "1.png").symlink_to(root.parent / "closed" / "private.png")
    draw(root / "2.png")
    (root / "2.txt").symlink_to(root.parent / "closed" / "private.txt")
    (root / "sub").symlink_to(root.parent / "closed")
    found = preview(str(root), subfolders=True)
    assert found.largest == (16, 16) and found.sizes_read == 1
    assert "private caption" not in str(concept_preview.as_json(found))
    assert [one.name for one in found.examples] == ["2.png"] and found.examples[0].missing == "no caption yet"
    assert "3 links lead outside the allowed folders" in found.note
    with pytest.raises(BadInput, match="outside the allowed folders"):
        thumbnails.thumbnail(str(root / "1.png"))


def test_the_captions_file_of_a_concept_must_be_inside_too(root):
    draw(root / "1.png")
    found = preview(str(root), source="concept", prompt_path=str(root.parent / "closed" / "private.txt"))
    assert (found.captioned, found.examples[0].caption) == (0, "") and "outside" in found.note


def test_a_caption_that_is_not_text_is_reported(root):
    draw(root / "1.png")
    (root / "1.txt").write_bytes(b"\xff\xfe caf\xe9")
    assert "UTF-8" in preview(str(root)).examples[0].missing


def test_a_huge_caption_is_read_in_part(root):
    draw(root / "1.png", caption="ü" * 1_000_000)
    assert preview(str(root)).examples[0].caption == "ü" * concept_preview.LONGEST_CAPTION


def test_names_that_are_not_utf8_are_left_out_and_mentioned(root):
    draw(root / "1.png")
    Path(os.fsdecode(os.fsencode(root) + b"/caf\xe9.png")).touch()
    found = preview(str(root))
    assert found.pictures == 1 and "1 name with bytes that are not UTF-8" in found.note


def test_an_empty_folder_says_what_to_do(root):
    assert "add pictures" in preview(str(root)).note
    draw(root / "deep" / "1.png")
    assert "include subfolders" in preview(str(root)).note


def test_ten_thousand_pictures_are_all_counted(root):
    for number in range(10_000):
        (root / f"{number}.png").touch()
    assert preview(str(root)).pictures == 10_000


def test_a_count_that_ran_out_of_time_is_reported(root):
    for number in range(9):
        (root / f"{number}.png").touch()
    found = preview(str(root), most_files=3)
    assert (found.pictures, found.complete) == (3, False) and "first 3 files" in found.note


# -- thumbnails --------------------------------------------------------------------------------------------------------


def test_a_thumbnail_is_small_upright_and_made_once(root):
    lying = Image.Exif()
    lying[0x0112] = 6
    picture = draw(root / "1.jpg", (1200, 600), exif=lying)
    kept = thumbnails.thumbnail(str(picture))
    with Image.open(kept) as small:
        assert small.size == (128, 256) and small.format == "WEBP"
    made = kept.stat().st_mtime_ns
    assert thumbnails.thumbnail(str(picture)) == kept and kept.stat().st_mtime_ns == made


def test_a_changed_picture_gets_a_new_thumbnail(root):
    first = thumbnails.thumbnail(str(draw(root / "1.png")))
    assert thumbnails.thumbnail(str(draw(root / "1.png", (32, 16)))) != first


@pytest.mark.parametrize("mode", ["1", "L", "LA", "P", "RGBA", "CMYK", "I;16", "F"])
def test_every_kind_of_picture_has_a_thumbnail(root, mode):
    path = root / f"{mode.replace(';', '')}.tiff"
    Image.new(mode, (300, 300)).save(path)
    assert thumbnails.thumbnail(str(path)).is_file()


@pytest.mark.parametrize("kind", ["PNG", "JPEG", "WEBP", "GIF", "TIFF", "BMP", "AVIF", "HEIF", "JXL"])
def test_a_thumbnail_and_its_size_are_of_the_pixels_that_the_trainer_reads(root, kind):
    lying = Image.Exif()
    lying[ORIENTATION] = 6
    options = {} if kind in ("GIF", "BMP", "JXL") else {"exif": lying, "icc_profile": red_is_green()}
    picture = root / f"1.{kind.lower() if kind != 'JPEG' else 'jfif'}"
    picture.write_bytes(file_of(Image.new("RGB", (64, 32), (255, 0, 0)), kind, **options))
    trained = decode(picture.read_bytes())
    assert thumbnails.size_of(picture) == trained.size
    with Image.open(thumbnails.thumbnail(str(picture))) as small:
        assert small.size == trained.size
        shown, wanted = small.convert("RGB").getpixel((9, 9)), trained.getpixel((9, 9))
    assert all(abs(one - other) <= 8 for one, other in zip(shown, wanted, strict=True))


def test_what_is_left_out_is_in_the_note(root):
    draw(root / "1.png", caption="one")
    draw(root / ".ipynb_checkpoints" / "2.png")
    (root / "a.psd").touch()
    note = preview(str(root)).note
    assert "1 hidden or system name is left out: .ipynb_checkpoints" in note and "a.psd" in note


def test_the_counts_are_those_of_the_engine(root):
    draw(root / "1.png")
    (root / "1.caption").write_text("one")
    (root / "2.heic").touch()
    own, other = preview(str(root)), preview(str(root), engine="onetrainer")
    assert (own.pictures, own.captioned, own.other_files) == (2, 1, 0)
    assert (other.pictures, other.captioned, other.other_files) == (1, 0, 2)


def test_old_thumbnails_are_deleted_for_new_ones(root):
    for number in range(30):
        thumbnails.thumbnail(str(draw(root / f"{number}.png")), most_kept=8)
    assert len(list(thumbnails.folder().iterdir())) <= 8


def chunk(kind, data):
    return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))


def bomb(width, height):
    head = struct.pack(">IIBBBBB", width, height, 8, 2, 0, 0, 0)
    return b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", head) + chunk(b"IDAT", zlib.compress(b"")) + chunk(b"IEND", b"")


def truncated():
    stream = io.BytesIO()
    Image.effect_noise((200, 200), 90).save(stream, "PNG")
    return stream.getvalue()[:2000]


@pytest.mark.parametrize(
    ("content", "sentence"),
    [
        (b"", "cannot be decoded"),
        (b"no picture", "cannot be decoded"),
        (truncated(), "cannot be decoded"),
        (b"%!PS-Adobe-3.0 EPSF-3.0\n%%BoundingBox: 0 0 9 9\n", "cannot be decoded"),
        (bomb(100_000, 100_000), "too many"),
        (bomb(9_000, 9_000), "too many"),
    ],
)
def test_a_picture_that_cannot_be_shown_says_why(root, content, sentence):
    (root / "1.png").write_bytes(content)
    with pytest.raises(BadInput, match=sentence):
        thumbnails.thumbnail(str(root / "1.png"))


def test_a_file_that_is_too_large_is_not_read(root):
    with (root / "1.png").open("wb") as file:
        file.truncate(limit("PICTURE_BYTES") + 1)
    with pytest.raises(BadInput, match="too large"):
        thumbnails.thumbnail(str(root / "1.png"))


def test_a_pipe_is_refused_without_waiting(root):
    os.mkfifo(root / "1.png")
    with pytest.raises(NotFound, match="not a regular file"):
        thumbnails.thumbnail(str(root / "1.png"))
    assert preview(str(root)).pictures == 0


@pytest.mark.parametrize(
    "path", ["/etc/passwd", "{root}/../closed/private.png", "{root}/a.txt", "a\x00.png", "\ud800.png"]
)
def test_no_other_file_is_opened(root, path):
    (root / "a.txt").write_text("text")
    with pytest.raises(BadInput):
        thumbnails.thumbnail(path.format(root=root))


@pytest.fixture
def signed_in(client, db):
    client.force_login(make_user(is_staff=True))
    return client


def test_the_part_of_the_page_shows_counts_captions_and_pictures(signed_in, root):
    draw(root / "a & b.png", caption="<b>a star</b>")
    part = signed_in.get(reverse("concept-preview"), {"path": str(root)}).text
    assert "<strong>1</strong> picture" in part and "&lt;b&gt;a star" in part
    assert "a%20%26%20b.png" in part


def test_the_part_shows_the_error(signed_in, root):
    answer = signed_in.get(reverse("concept-preview"), {"path": "/etc"})
    assert answer.status_code == 400 and 'role="alert"' in answer.text


def test_a_thumbnail_is_sent_once(signed_in, root):
    address = reverse("concept-picture")
    path = str(draw(root / "1.png"))
    answer = signed_in.get(address, {"path": path})
    assert answer["Content-Type"] == "image/webp" and Image.open(io.BytesIO(answer.content)).size == (16, 16)
    assert signed_in.get(address, {"path": path}, headers={"If-None-Match": answer["ETag"]}).status_code == 304


@pytest.mark.parametrize(("name", "status"), [("gone.png", 404), ("../closed/private.png", 400), ("", 400)])
def test_a_missing_thumbnail_is_answered_with_a_sentence(signed_in, root, name, status):
    answer = signed_in.get(reverse("concept-picture"), {"path": str(root / name)})
    assert answer.status_code == status and answer.text.endswith(".")
