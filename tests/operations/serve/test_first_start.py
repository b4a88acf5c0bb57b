"""What a new site starts with."""

from __future__ import annotations

import json
import re

import pytest
from django.contrib.auth.models import User

from engine.builtin.config.train_config import TrainConfig
from engine.builtin.estimates.memory import GIB, estimate_memory
from operations.serve.default_presets import DEMO, PRESETS
from operations.serve.first_start import DEMO_RUN, admin_account, first_start, ship_presets
from presets.config import configs
from presets.config.configs import check_form, engines_for
from presets.models import Preset
from system.account.links import path_for
from tests.making import make_user
from training.models import Run

pytestmark = pytest.mark.django_db


@pytest.fixture
def demo(settings, tmp_path):
    """The demo's own config, with folders where its model and pictures are expected."""
    config = json.loads((settings.BASE_DIR / "engine/demo/config.json").read_text())
    settings.DEMO_DIR = tmp_path
    (tmp_path / "config.json").write_text(json.dumps(config))
    (tmp_path / "dataset").mkdir()
    (tmp_path / "model").mkdir()
    return tmp_path


def test_the_admin_has_no_password_and_is_made_once():
    admin = admin_account()
    assert admin.username == "admin"
    assert admin.is_superuser
    assert not admin.has_usable_password()
    assert admin_account() == admin


def test_an_existing_admin_is_used():
    mine = User.objects.create_superuser("root", password="x")
    assert admin_account() == mine


def test_a_user_named_admin_does_not_become_an_admin():
    make_user("admin")
    assert admin_account().username == "admin2"


def test_a_blocked_admin_gets_no_link():
    User.objects.create_superuser("admin", is_active=False)
    assert admin_account().username == "admin2"


def test_the_link_signs_in_once(client):
    link = path_for(admin_account())
    client.post(link)
    assert "_auth_user_id" in client.session
    client.logout()
    client.post(link)
    assert "_auth_user_id" not in client.session


def test_the_demo_run_is_queued_exactly_once(demo):
    first_start(admin_account())
    assert first_start(admin_account()) == []
    run = Run.objects.get()
    assert run.name == DEMO_RUN
    assert run.status == Run.Status.QUEUED
    assert run.config["base_model_name"] == str(demo / "model")


def test_without_the_demo_its_preset_is_still_there(demo):
    first_start(admin_account(), with_demo=False)
    assert not Run.objects.exists()
    assert Preset.objects.filter(name=DEMO).exists()


def test_a_demo_whose_model_is_missing_is_left_out_with_a_sentence(demo):
    (demo / "model").rmdir()
    said = first_start(admin_account())
    assert not Run.objects.exists()
    assert any("the demo run was not queued: base_model_name" in sentence for sentence in said)
    assert Preset.objects.count() == len(PRESETS) + 1


def test_presets_of_ones_own_are_kept(demo):
    mine = Preset(name="SD 1.5/LoRA 8 GB")
    mine.save_version({"batch_size": 9})
    first_start(admin_account())
    mine.refresh_from_db()
    assert mine.config == {"batch_size": 9}


@pytest.mark.parametrize("name", PRESETS)
def test_the_engine_accepts_each_preset(name):
    config = PRESETS[name][1]
    assert check_form(config) == []
    assert engines_for(config)[0] == {"name": "builtin", "title": "Built-in trainer", "why_not": ""}


def test_the_memory_in_a_preset_s_name_is_enough_by_the_estimate():
    for name, (_, config) in PRESETS.items():
        room = int(re.search(r"(\d+) GB", name)[1])
        need = estimate_memory(TrainConfig.from_dict(configs.full_config("builtin", config)), None, on_gpu=True).total
        assert need / GIB < 0.95 * room, name


def test_a_newer_version_of_the_site_brings_its_presets_up_to_date(demo, monkeypatch):
    first_start(admin_account(), with_demo=False)
    monkeypatch.setitem(PRESETS, "SD 1.5/LoRA 8 GB", ("Better.", {"epochs": 7}))
    monkeypatch.delitem(PRESETS, "SD 1.5/LoRA 6 GB")
    assert ship_presets() == 1
    better, gone = (Preset.objects.get(name=f"SD 1.5/LoRA {size} GB") for size in (8, 6))
    assert (better.config, better.version, better.description) == ({"epochs": 7}, 2, "Better.")
    assert gone.archived
