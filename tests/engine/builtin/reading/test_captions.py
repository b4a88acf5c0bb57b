"""Captions as users and other tools save them."""

import json
import unicodedata

import pytest

from engine.builtin.data.concepts import check_data, survey
from engine.builtin.data.pictures import PictureIndex
from engine.builtin.reading import captions as kinds
from engine.builtin.reading.captions import Captions
from engine.builtin.reading.scan import BUILTIN, ONETRAINER, scan
from engine.builtin.reading.texts import CLEANED, GUESSED, NotText, decode_text, is_broken, lines_of
from tests.engine.data import make_config, make_pictures


@pytest.fixture
def folder(tmp_path):
    return make_pictures(tmp_path / "stars", [(64, 64)] * 2, captions=False)


def caption_of(folder, name="0.png", reader=BUILTIN):
    return Captions(scan(folder, True, reader), reader).of(folder / name)


def messages(folder, **concept):
    return [problem.message for problem in check_data(make_config(folder, concept), size_multiple=8)]


# -- encodings ---------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "utf-16", "utf-16-le", "utf-16-be", "utf-32"])
@pytest.mark.parametrize("text", ["a star at night", "caf\xe9, a t\xebte-\xe0-t\xeate", "a star \u2014 \u661f"])
def test_every_unicode_encoding_is_recognized(encoding, text):
    assert decode_text(text.encode(encoding)) == (text, frozenset())


@pytest.mark.parametrize("mark", [b"\xff\xfe", b"\xfe\xff"])
def test_utf_16_with_its_mark_is_read_in_both_orders(mark):
    order = "utf-16-le" if mark == b"\xff\xfe" else "utf-16-be"
    assert decode_text(mark + "夜の星".encode(order)) == ("夜の星", frozenset())


def test_windows_latin_text_is_read_and_noted():
    assert decode_text("un caf\xe9 \u201cnoir\u201d".encode("cp1252")) == ("un café “noir”", {GUESSED})


@pytest.mark.parametrize("data", ["夜の星空".encode("shift-jis"), "ночное небо".encode("cp1251"), b"\xff\xfe\xfa"])
def test_text_in_an_unknown_encoding_is_refused_and_never_read_as_nonsense(data):
    with pytest.raises(NotText):
        decode_text(data)


def test_nuls_and_control_characters_are_removed_and_noted():
    assert decode_text(b"a \x00star\x07\n") == ("a star\n", {CLEANED})


@pytest.mark.parametrize("end", ["\n", "\r\n", "\r", "\n\n", " \r\n\t\n"])
def test_all_line_ends_separate_captions(end):
    assert lines_of(f"a star{end}stars{end}") == ("a star", "stars")


def test_only_what_onetrainer_takes_for_a_line_end_is_one():
    assert lines_of("a\x85star\u2028night") == ("a\x85star\u2028night",)


SENTENCE = "A red star stands above a green square in the middle of a very dark"


@pytest.mark.parametrize(
    ("text", "broken"),
    [
        (f"{SENTENCE}\nnight without any moon.", True),
        (f"{SENTENCE} night.\n\nThe style is flat and simple.", True),
        (f"{SENTENCE} night.\n{SENTENCE.lower()} night.", False),
        ("a star\nstars\n\nnight", False),
        (f"{SENTENCE} night.\n\n", False),
        ("", False),
    ],
)
def test_one_text_in_several_lines_is_recognized(text, broken):
    assert is_broken(text) == broken


# -- files -------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("name", "content"),
    [
        ("0.txt", "a star"),
        ("0.TXT", "a star"),
        ("0.caption", "a star"),
        ("0.png.txt", "a star"),
        ("0.json", json.dumps({"caption": "a star"})),
        ("0.json", json.dumps({"prompt": ["a star"], "width": 64})),
        ("0.json", json.dumps({"tags": ["a star"]})),
        ("metadata.jsonl", '{"file_name": "0.png", "text": "a star"}\n{"file_name": "1.png", "text": "another"}\n'),
        ("meta_cap.json", json.dumps({"0": {"caption": "a star"}})),
        ("meta_cap.json", json.dumps({"C:\\pictures\\0.png": {"caption": "a star"}})),
    ],
)
def test_captions_are_read_as_other_tools_write_them(folder, name, content):
    (folder / name).write_text(content)
    assert caption_of(folder).captions == ("a star",)


def test_accents_of_a_name_may_be_stored_as_macos_does(folder):
    (folder / "0.png").rename(folder / unicodedata.normalize("NFC", "\u00e9t\u00e9.png"))
    (folder / unicodedata.normalize("NFD", "\u00e9t\u00e9.txt")).write_text("summer")
    assert caption_of(folder, "\u00e9t\u00e9.png").captions == ("summer",)
    assert caption_of(folder, "\u00e9t\u00e9.png", ONETRAINER).captions == ("",)


def test_kohyas_caption_and_tags_are_joined(folder):
    (folder / "0.json").write_text(json.dumps({"caption": "a star", "tags": "night, sky"}))
    assert caption_of(folder).captions == ("a star, night, sky",)


def test_metadata_of_the_whole_folder_names_pictures_in_subfolders(folder):
    make_pictures(folder / "more", [(64, 64)], captions=False)
    (folder / "metadata.jsonl").write_text('{"file_name": "more/0.png", "text": "deep"}\nbroken\n[1]\n')
    assert caption_of(folder, "more/0.png").captions == ("deep",)
    assert caption_of(folder).captions == ("",)


def test_a_text_file_comes_before_other_captions(folder):
    (folder / "0.txt").write_text("text")
    (folder / "0.json").write_text(json.dumps({"caption": "json"}))
    assert caption_of(folder).captions == ("text",)


@pytest.mark.parametrize("content", ["", "{", "[]", "3", '{"width": 64}', "\x00", "[" * 100_000])
def test_json_about_something_else_is_no_caption(folder, content):
    (folder / "0.json").write_text(content)
    assert caption_of(folder).captions == ("",)


@pytest.mark.parametrize("name", ["0.TXT", "0.png.txt", "0.caption", "0.json"])
def test_onetrainer_reads_no_other_file(folder, name):
    (folder / name).write_text('{"caption": "a star"}')
    assert caption_of(folder, "0.png", ONETRAINER).captions == ("",)


def test_onetrainer_reads_exactly_the_text_file_in_utf_8(folder):
    (folder / "0.TXT").write_text("a star")
    (folder / "1.txt").write_bytes("caf\xe9".encode("latin-1"))
    assert caption_of(folder, "0.png", ONETRAINER).kinds == ((kinds.NO_CAPTION, ""),)
    assert caption_of(folder, "1.png", ONETRAINER).kinds == ((kinds.NOT_UTF8, ""),)
    assert kinds.NOT_UTF8.severity == "error"


def test_counting_captions_opens_no_file_beside_a_picture(folder):
    (folder / "0.txt").write_bytes(b"\xff\xfe\xfa")
    counted = Captions(scan(folder, False), BUILTIN)
    assert [counted.has(folder / name) for name in ("0.png", "1.png")] == [True, False]
    assert counted.unused() == []


def test_one_text_in_several_lines_is_a_warning(folder):
    (folder / "0.txt").write_text(f"{SENTENCE}\r\nnight without any moon.")
    assert [message for message in messages(folder) if "one text in several lines" in message]


def test_json_beside_a_picture_is_no_list_of_captions(folder):
    (folder / "0.json").write_text(json.dumps({"1": {"caption": "of another picture"}}))
    assert caption_of(folder, "1.png").captions == ("",)


# -- sentences ---------------------------------------------------------------------------------------------------------


def test_each_kind_of_caption_is_one_sentence_with_its_names(folder):
    make_pictures(folder, [(64, 64)] * 6, captions=False)
    (folder / "0.txt").write_bytes("caf\xe9".encode("latin-1"))
    (folder / "1.txt").write_bytes(b"a \x00star, at night")
    (folder / "2.txt").write_text("\n \n")
    (folder / "3.txt").write_text("three")
    (folder / "lonely.txt").write_text("nobody")
    found = messages(folder)
    assert len(found) == 5
    assert "1 caption file is not UTF-8, and is read as Windows Latin text: 0.txt; save it as UTF-8" in found
    assert "1 caption file has control characters, which are left out: 1.txt; save it as UTF-8" in found
    assert "1 caption file is empty: 2.txt; write a caption into it" in found
    assert any(
        message.startswith("2 pictures have no caption and are trained with an empty caption: 4.png, 5.png;")
        for message in found
    )
    assert "1 caption file has no picture: lonely.txt; name it after its picture" in found


def test_captions_of_another_source_need_no_text_files(folder):
    (folder / "lonely.txt").write_text("nobody")
    assert messages(folder, text={"prompt_source": "filename"}) == []


def test_the_captions_of_a_concept_are_recognized_too(folder, tmp_path):
    (tmp_path / "all.txt").write_bytes("a star\r\nstars\r\n".encode("utf-16"))
    config = make_config(folder, {"text": {"prompt_source": "concept", "prompt_path": str(tmp_path / "all.txt")}})
    assert {one.captions for one in survey(config, PictureIndex(tmp_path)).pictures} == {("a star", "stars")}


def test_a_folder_named_for_kohyas_repeats_is_told_with_what_to_do(folder):
    make_pictures(folder / "10_star person", [(64, 64)])
    make_pictures(folder / "1_plain", [(64, 64)])
    (message,) = [one for one in messages(folder, include_subdirectories=True) if "kohya" in one]
    assert message.startswith("1 folder is named for kohya's repeats, which have no effect here: 10_star person; make")


def test_a_concept_that_repeats_as_its_folder_says_is_no_problem(tmp_path):
    folder = make_pictures(tmp_path / "3_star", [(64, 64)] * 2)
    assert not [one for one in messages(folder, balancing=3.0) if "kohya" in one]
    assert [one for one in messages(folder, balancing=2.0) if "kohya" in one]
