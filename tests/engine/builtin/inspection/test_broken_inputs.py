"""Whatever stands in place of a file that the check reads, the answer is an error in one sentence, never a crash."""

import json
import os
import shutil
from pathlib import Path

import pytest

from engine.builtin.preflight import preflight
from engine.interface.errors import BadData, Problem
from engine.interface.preflight import failures_as_problems

DEMO = Path("engine/demo")
PARTS = (
    "unet/diffusion_pytorch_model.safetensors",
    "unet/config.json",
    "vae/config.json",
    "text_encoder/config.json",
    "scheduler/scheduler_config.json",
    "tokenizer/tokenizer.json",
    "model_index.json",
)


def header(tensors, behind=64):
    text = tensors if isinstance(tensors, bytes) else json.dumps(tensors).encode()
    return len(text).to_bytes(8, "little") + text + bytes(behind)


def entry(begin, end, shape=(2,), dtype="F32"):
    return {"dtype": dtype, "shape": list(shape), "data_offsets": [begin, end]}


def content(text):
    def put(path):
        path.write_bytes(text)

    return put


def cut(path):
    os.truncate(path.with_name("whole"), path.with_name("whole").stat().st_size // 2)
    path.with_name("whole").rename(path)


def without_permission(path):
    path.with_name("whole").rename(path)
    path.chmod(0)


KINDS = {
    "cut off": cut,
    "empty": content(b""),
    "a folder": Path.mkdir,
    "bytes": content(bytes(range(256)) * 40),
    "text": content("Ünlesbar\n".encode("utf-16")),
    "absurd length": content((2**63 - 1).to_bytes(8, "little") + b"{}"),
    "overlapping": content(header({"a": entry(0, 8), "b": entry(4, 12)}, 12)),
    "unknown format": content(header({"a": entry(0, 8, dtype="Q8_0")}, 8)),
    "nested": content(header(b'{"a":' * 50_000, 0)),
    "nested JSON": content(b'{"a":' * 50_000),
    "list": content(b"[1, 2]"),
    "circle": lambda path: path.symlink_to(path),
    "dangling": lambda path: path.symlink_to("/nowhere/at/all"),
    "pipe": os.mkfifo,
    "gone": lambda path: None,
} | ({"unreadable": without_permission} if os.geteuid() else {})  # root reads every file


@pytest.fixture
def config(tmp_path):
    shutil.copytree(DEMO / "dataset", tmp_path / "pictures")
    shutil.copytree(DEMO / "model", tmp_path / "model", ignore=shutil.ignore_patterns("vocab.json", "merges.txt"))
    return json.loads((DEMO / "config.json").read_text()) | {
        "base_model_name": str(tmp_path / "model"),
        "concepts": [{"path": str(tmp_path / "pictures")}],
        "workspace_dir": str(tmp_path / "workspace"),
        "cache_dir": str(tmp_path / "cache"),
        "output_model_destination": str(tmp_path / "out.safetensors"),
    }


def spoil(path, kind):
    """Put another thing in place of the file."""
    path.rename(path.with_name("whole"))
    KINDS[kind](path)
    path.with_name("whole").unlink(missing_ok=True)


def errors(config):
    return [problem for problem in preflight(config, []).problems if problem.is_error]


def refuses(config, field):
    (first, *_rest) = errors(config)
    assert first.field == field and 20 < len(first.message) < 500 and "\n" not in first.message
    return first.message


@pytest.mark.parametrize("part", PARTS)
@pytest.mark.parametrize("kind", KINDS)
def test_a_broken_part_of_a_model_folder_is_an_error(config, tmp_path, part, kind):
    spoil(tmp_path / "model" / part, kind)
    refuses(config, "base_model_name")


@pytest.mark.parametrize("kind", KINDS)
def test_a_broken_single_file_is_an_error(config, tmp_path, kind):
    file = tmp_path / "one.safetensors"
    file.write_bytes(header({"model.diffusion_model.x": entry(0, 8)}, 8))
    spoil(file, kind)
    refuses(config | {"base_model_name": str(file)}, "base_model_name")


@pytest.mark.parametrize("kind", KINDS)
def test_a_broken_lora_to_start_from_is_an_error(config, tmp_path, kind):
    file = tmp_path / "start.safetensors"
    file.write_bytes(header({"lora_unet_x.lora_down.weight": entry(0, 8, (1, 2))}, 8))
    spoil(file, kind)
    refuses(config | {"lora_model_name": str(file)}, "lora_model_name")


def test_an_unexpected_failure_is_an_error_of_its_field_and_its_traceback_is_logged(capsys):
    problems: list[Problem] = []
    with failures_as_problems(problems, "base_model_name", "the base model"):
        {}["x"]
    assert problems == [
        Problem(
            "base_model_name",
            "the base model cannot be checked (KeyError: 'x'); replace the files, or choose others",
        )
    ]
    assert "Traceback" in capsys.readouterr().err


def test_a_failure_that_has_a_sentence_keeps_it():
    problems: list[Problem] = []
    with failures_as_problems(problems, "concepts", "the pictures"):
        raise BadData("a.png is broken")
    assert problems == [Problem("concepts", "a.png is broken")]
