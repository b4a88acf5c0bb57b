"""The demo: queued at the first start, and trained in the terminal; here with the tiny model instead of its own."""

from __future__ import annotations

import json
import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
from django.conf import settings


@pytest.fixture
def demo(make_site):
    def train(name, **environment):
        site = make_site(name, new=True, **environment)
        command = [sys.executable, "manage.py", "demo", "--data-dir", str(site.folder)]
        ended = subprocess.run(
            command, cwd=settings.BASE_DIR, env=site.environment, capture_output=True, text=True, timeout=300
        )
        assert site.processes() == []
        return ended

    return train


def test_the_demo_trains_to_the_end_and_reports_its_result(demo):
    ended = demo("trained")
    assert ended.returncode == 0, ended.stderr
    assert "[##############################] 100%  step 6/6" in ended.stdout
    (model,) = re.findall(r"^Model +(.+)$", ended.stdout, re.MULTILINE)
    (samples,) = re.findall(r"^Samples +(.+)$", ended.stdout, re.MULTILINE)
    assert Path(model).stat().st_size > 0
    assert list(Path(samples).rglob("*.png"))
    assert re.search(r"^Loss +\d\.\d+ over the first 3 steps, \d\.\d+ over the last$", ended.stdout, re.MULTILINE)


def test_a_demo_that_cannot_train_ends_with_a_sentence(demo, demo_folder, tmp_path):
    shutil.copy(demo_folder / "config.json", tmp_path)
    ended = demo("broken", DEMO_DIR=str(tmp_path))
    assert ended.returncode == 1
    assert "base_model_name" in ended.stderr
    assert "does not exist" in ended.stderr
    assert "Traceback" not in ended.stderr


def test_a_site_that_cannot_start_ends_the_demo_with_its_sentence(demo):
    ended = demo("no-redis", REDIS_URL="redis://127.0.0.1:1/0")
    assert ended.returncode == 1
    assert "REDIS_URL is redis://127.0.0.1:1/0, where no Redis answers" in ended.stderr


def test_the_first_start_trains_the_demo_and_the_second_does_not(make_site):
    site = make_site("first", new=True).start()
    assert site.wait_for_status("finished")["run_name"] == "Demo: stars"
    assert len(site.api("GET", "runs/")["results"]) == 1
    assert site.stop() == 0
    site.start()
    assert len(site.api("GET", "runs/")["results"]) == 1
    assert "Demo/Stars" in json.dumps(site.api("GET", "config/list"))
    assert site.stop() == 0
