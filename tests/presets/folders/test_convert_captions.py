"""Captions of other tools, written as the text files that OneTrainer reads."""

import json

import pytest
from django.core.management import CommandError, call_command

from engine.builtin.data.concepts import survey
from engine.builtin.data.pictures import PictureIndex
from engine.builtin.reading.scan import ONETRAINER
from tests.engine.data import make_config, make_pictures


@pytest.fixture
def folder(tmp_path):
    folder = make_pictures(tmp_path / "stars", [(64, 64)] * 4, captions=False)
    (folder / "0.caption").write_text("of kohya")
    (folder / "1.json").write_text(json.dumps({"caption": ["one", "two"]}))
    (folder / "metadata.jsonl").write_text('{"file_name": "2.png", "text": "été"}\n{"file_name": "0.png", "text": "x"}')
    (folder / "3.txt").write_text("as it is")
    return folder


def of_onetrainer(folder):
    found = survey(make_config(folder), PictureIndex(folder), reader=ONETRAINER)
    return [picture.captions for picture in found.pictures]


def test_onetrainer_reads_the_converted_captions(folder):
    assert of_onetrainer(folder) == [("",), ("",), ("",), ("as it is",)]
    call_command("convert_captions", folder)
    assert of_onetrainer(folder) == [("of kohya",), ("one", "two"), ("été",), ("as it is",)]
    names = {file.name for file in folder.iterdir()}
    call_command("convert_captions", folder)
    assert {file.name for file in folder.iterdir()} == names


def test_a_dry_run_writes_nothing(folder, capsys):
    call_command("convert_captions", folder, dry_run=True)
    assert "3 files would be written" in capsys.readouterr().out
    assert not (folder / "0.txt").exists()


def test_a_folder_that_does_not_exist_is_named(tmp_path):
    with pytest.raises(CommandError, match="gone"):
        call_command("convert_captions", tmp_path / "gone")
