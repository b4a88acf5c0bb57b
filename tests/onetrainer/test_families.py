"""Two more families on the real OneTrainer, from the check to a resume."""

from __future__ import annotations

import pytest

from engine.onetrainer import whole
from engine.onetrainer.checks import rules
from engine.onetrainer.preflight import preflight
from tests.onetrainer.attempts import Attempt, real
from tests.onetrainer.conftest import HAS_ONE

pytestmark = [pytest.mark.real_onetrainer, HAS_ONE]
TYPES = {"sdxl": "STABLE_DIFFUSION_XL_10_BASE", "flux": "FLUX_DEV_1"}


@pytest.fixture(params=TYPES)
def family_config(request, config, tmp_path, kept_facts):
    from tests.onetrainer import families

    model = getattr(families, request.param)(tmp_path / "model")
    config |= {"model_type": TYPES[request.param], "base_model_name": str(model), "resolution": "128", "epochs": 1}
    config |= {"fallback_train_dtype": "FLOAT_32"}  # of T5, which bfloat16 suits better than float16
    return whole.completed(
        {**kept_facts(real())["defaults"], **config, "output_model_format": "KOHYA_LORA"}, kept_facts(real())
    )


def test_a_family_is_checked_trained_and_resumed(family_config, tmp_path, kept_facts):
    facts = kept_facts(real())
    assert [one for one in rules.problems(family_config, facts) if one.is_error] == []
    checked = preflight(family_config, [], facts=facts)
    assert [one for one in checked.problems if one.is_error] == [] and checked.estimate["memory"]["total"] > 0
    first = Attempt(real(), tmp_path / "first", family_config).wait()
    assert first.data("ended") == [{"reason": "finished"}], first.log
    assert [data["step"] for data in first.data("metrics")] == [0, 1]
    (backup,) = first.artifacts("backup")
    second = Attempt(real(), tmp_path / "second", family_config | {"epochs": 2}, backup).wait()
    assert second.data("ended") == [{"reason": "finished"}], second.log
    assert [data["step"] for data in second.data("metrics")] == [2, 3] and second.artifacts("model")


def test_the_smallest_resolution_of_a_family_is_known_before_it_divides_by_zero(family_config, tmp_path, kept_facts):
    too_small = family_config | {"resolution": "64"}
    assert [one.field for one in rules.problems(too_small, kept_facts(real())) if one.is_error] == ["resolution"]
    failed = Attempt(real(), tmp_path / "small", too_small).wait().data("failed")[0]
    assert failed["reason"] == "same_again" and "ZeroDivisionError" in failed["message"]
