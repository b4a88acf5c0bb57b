"""The check before a start counts the download of a base model that is not on this machine."""

from __future__ import annotations

import shutil
from collections import namedtuple

import pytest

from engine.downloads import DOWNLOAD, add_download
from engine.interface.preflight import PreflightResult

SD15 = "stable-diffusion-v1-5/stable-diffusion-v1-5"
Usage = namedtuple("Usage", "total used free")


@pytest.fixture
def config(tmp_path):
    return {"base_model_name": SD15, "huggingface_cache_dir": str(tmp_path), "workspace_dir": str(tmp_path)}


def checked(config, free: float, monkeypatch) -> PreflightResult:
    monkeypatch.setattr(shutil, "disk_usage", lambda folder: Usage(1e12, 0, free))
    result = PreflightResult([], {"disk": {"total": 1_000_000_000, "parts": {"backups": 1_000_000_000}}})
    add_download(result, config, "builtin")
    return result


def test_the_download_is_a_part_of_the_disk_estimate(config, monkeypatch):
    result = checked(config, 1e12, monkeypatch)
    assert result.estimate["disk"]["parts"][DOWNLOAD] == 4_300_000_000
    assert result.estimate["disk"]["total"] == 5_300_000_000
    assert not result.problems


def test_a_download_that_fits_alone_but_not_beside_the_run_is_an_error(config, monkeypatch):
    problem = checked(config, 5e9, monkeypatch).problems[0]
    assert (problem.field, problem.is_error) == ("base_model_name", True)
    assert "needs 4.3 GB" in problem.message and "the run itself 1.0 GB" in problem.message


def test_the_part_that_is_fetched_already_is_not_counted_again(config, tmp_path, monkeypatch):
    blobs = tmp_path / "models--stable-diffusion-v1-5--stable-diffusion-v1-5" / "blobs"
    blobs.mkdir(parents=True)
    (blobs / ".abc.abc.partial").write_bytes(b"x" * 300_000)
    assert checked(config, 1e12, monkeypatch).estimate["disk"]["parts"][DOWNLOAD] == 4_300_000_000 - 300_000


def test_a_model_on_this_machine_needs_no_download(tmp_path, monkeypatch):
    assert DOWNLOAD not in checked({"base_model_name": str(tmp_path)}, 1e12, monkeypatch).estimate["disk"]["parts"]
