"""Trainings that continue from a backup under other settings: acting, begun anew, or refused by name."""

import pytest
import torch

from engine.interface.errors import BadConfig
from tests.engine.tiny import Training, make_model, make_pictures


@pytest.fixture(scope="module")
def places(tmp_path_factory):
    folder = tmp_path_factory.mktemp("inputs")
    return make_model(folder / "model", levels=1), make_pictures(folder / "pictures", 2)


@pytest.fixture(scope="module")
def backup(places, tmp_path_factory):
    """A backup after the first of two steps."""
    run = Training(*places, tmp_path_factory.mktemp("first"), text_encoder={"train": False})
    run.at_step(1, lambda: run.commands.stop(final_model=False))
    return run.run().artifacts("backup")[0]


@pytest.fixture
def resumed(places, backup, tmp_path):
    return lambda **changes: Training(*places, tmp_path, backup, **{"text_encoder": {"train": False}, **changes})


def said(run):
    return " ".join(message for message, *_ in run.recorder.of("on_warning"))


@pytest.mark.parametrize(
    "field, changes",
    [
        ("lora_rank", {"lora_rank": 8}),
        ("lora_alpha", {"lora_alpha": 4}),
        ("training_method", {"training_method": "FINE_TUNE", "output_model_format": "DIFFUSERS"}),
        ("text_encoder.train", {"text_encoder": {"train": True}}),
        ("layer_filter", {"layer_filter": "attn1"}),
    ],
)
def test_a_change_that_gives_the_weights_another_meaning_is_refused_by_its_name(resumed, field, changes):
    """A smaller rank in a backup was copied into every row of a larger, without a word."""
    with pytest.raises(BadConfig, match=field):
        resumed(**changes).run()


@pytest.mark.parametrize("optimizer", ["ADAFACTOR", "PRODIGY"])
def test_another_optimizer_begins_its_averages_anew_and_says_so(resumed, optimizer):
    run = resumed(optimizer={"optimizer": optimizer}, learning_rate=1.0).run()
    assert run.trainer.session.optimizer_steps == 2
    assert f"ADAMW to {optimizer}" in said(run)


def test_a_changed_setting_of_the_optimizer_acts_after_the_backup(resumed):
    run = resumed(optimizer={"optimizer": "ADAMW", "weight_decay": 0.5, "beta1": 0.5}).run()
    (group,) = run.trainer.session.optimizer.param_groups
    assert (group["weight_decay"], group["betas"][0]) == (0.5, 0.5)


def test_an_average_that_is_turned_on_later_begins_with_the_weights_of_the_backup(resumed):
    run = resumed(ema="CPU")
    run.trainer.start()
    session = run.trainer.session
    assert all(map(torch.equal, session.ema.averages, session.parameters))
    assert any(average.any() for average in session.ema.averages[1::2])
    assert "ema was turned on" in said(run)


def test_a_base_model_of_another_name_is_reported(places, backup, tmp_path):
    other = make_model(tmp_path / "other", "v_prediction", levels=1)
    run = Training(other, places[1], tmp_path, backup, text_encoder={"train": False})
    run.trainer.start()
    assert f"base_model_name was changed from {places[0]}" in said(run)


def test_a_new_run_from_a_backups_weights_needs_their_strength(places, backup, tmp_path):
    run = Training(*places, tmp_path, text_encoder={"train": False}, lora_alpha=4)
    run.trainer.weights_from = backup
    with pytest.raises(BadConfig, match="lora_alpha"):
        run.run()
