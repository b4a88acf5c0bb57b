"""What a user's first draft of a run starts from."""

from __future__ import annotations

import pytest
from django.contrib.auth.models import Group
from django.urls import reverse

from presets.editor import drafts
from presets.editor.page import Editor
from presets.models import Preset
from tests.making import make_living_worker, make_preset, make_run, make_user
from tests.markup import squeezed
from training.pages.first_draft import draft_of
from web.permissions import TRAINERS

pytestmark = pytest.mark.django_db


@pytest.fixture
def trainer(client):
    user = make_user("tess")
    user.groups.add(Group.objects.get_or_create(name=TRAINERS)[0])
    client.force_login(user)
    return user


@pytest.fixture
def shipped():
    names = ("SD 1.5/Fine-tune 24 GB", "SD 1.5/LoRA 4 GB", "SD 1.5/LoRA 12 GB", "SD 1.5/LoRA Prodigy 8 GB")
    return [make_preset(name, source=Preset.Source.SHIPPED, config={"lora_rank": 8}) for name in names]


def make_worker(gpu="", memory=0.0):
    gpus = [{"id": 0, "name": "Card", "memory_total_gb": memory}] if gpu else []
    resources = {"gpus": gpus, "memory_total_gb": 16.0, "cpu_count": 4}
    make_living_worker(f"here:{gpu or 'cpu'}", gpu=gpu, device_name="Card" if gpu else "CPU", resources=resources)


@pytest.mark.parametrize(
    ("gpu", "memory", "preset", "device"),
    [
        ("0", 23.6, "SD 1.5/LoRA 12 GB", None),
        ("0", 6.0, "SD 1.5/LoRA 4 GB", None),
        ("", 0.0, "SD 1.5/LoRA 4 GB", "cpu"),
    ],
)
def test_a_first_draft_starts_from_the_lora_preset_that_fits_the_machine(trainer, shipped, gpu, memory, preset, device):
    make_worker(gpu, memory)
    draft = draft_of(trainer)
    assert draft.start == f"preset:{Preset.objects.get(name=preset).pk}"
    assert draft.config.get("train_device") == device
    assert drafts.changes_since_start(draft) == {}


def test_a_first_draft_starts_from_the_preset_of_the_users_newest_run(trainer, shipped):
    mine = make_preset("My own")
    make_run("first", owner=trainer, preset=shipped[0])
    make_run("second", owner=trainer, preset=mine)
    make_run("of another", owner=make_user("otto"), preset=shipped[1])
    assert draft_of(trainer).start == f"preset:{mine.pk}"


def test_a_draft_that_exists_keeps_its_start(trainer, shipped):
    drafts.get_draft(trainer)
    assert draft_of(trainer).start == ""


def test_fields_that_nobody_has_typed_are_to_do_and_typed_ones_are_errors(client, trainer):
    draft = drafts.get_draft(trainer)
    page = squeezed(client.get(reverse("new-run")).content.decode())
    assert "To do before the start" in page and "1 to do" in page and "1 error" not in page
    drafts.apply(draft, draft.revision, [{"field": "batch_size", "value": -1}])
    editor = Editor(draft)
    assert (editor.to_do_count, editor.mistake_count, editor.error_count) == (1, 1, 2)
    assert "2 errors" in squeezed(client.get(reverse("new-run")).content.decode())


def test_settings_that_the_trainer_ignores_are_folded_until_they_are_changed(client, trainer):
    draft = drafts.get_draft(trainer)
    editor = Editor(draft, "general")
    ignored = [field.path for field in editor.without_effect]
    assert "tensorboard" in ignored and "train_device" not in ignored
    assert f"{len(ignored)} settings without effect here: show" in squeezed(
        client.get(reverse("new-run"), {"tab": "general"}).content.decode()
    )
    drafts.apply(draft, draft.revision, [{"field": "tensorboard", "value": False}])
    assert "tensorboard" not in [field.path for field in Editor(draft, "general").without_effect]
