"""Any config that the check calls valid trains: nothing raises, the loss is finite, and the weights move."""

import math
import os

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from engine.builtin.config.schema import schema
from engine.builtin.preflight import preflight
from engine.schema import leaf, walk
from tests.engine.outcomes import Tiny, train

MORE = os.environ.get("FUZZ_EXAMPLES", "")  # this many examples, different in each run
SMALL = 1e-37, 1e-9, 1e-3, 0.3, 0.5, 0.999, 1.0, 1.5, 10.0
HUGE = 1e6, 1e20, 1e38, 1e300
# What would only make the test slow or fill the disk, has one of these values.
COSTLY = {
    "resolution": ["32", "64", "32,64", "48x32"],
    "batch_size": [1, 2, 3],
    "gradient_accumulation_steps": [1, 2, 3],
    "lora_rank": [1, 3, 64],
    "concepts.0.balancing": [0, 0.5, 1, 2.5],
    "concepts.0.image_variations": [1, 2],
    "concepts.0.text_variations": [1, 2],
    "concepts.0.image.resolution_override": ["32", "64"],
    "samples.0.width": [32, 40, 33],
    "samples.0.height": [32, 40],
    "samples.0.diffusion_steps": [0, 1, 2, 1001],
    "dataloader_threads": [0, 1, 2],
    "layer_filter": ["", "attn", "to_q,to_k", "a("],
    "train_device": ["cpu", "gpu"],
    "sample_after_unit": ["NEVER", "STEP", "ALWAYS", "EPOCH"],
    "backup_after_unit": ["NEVER", "STEP", "ALWAYS", "EPOCH"],
    "save_every_unit": ["NEVER", "STEP", "ALWAYS", "EPOCH"],
    "optimizer_defaults": [{}, {"ADAMW": {"beta1": 0.5}}],
}
# Where things are; the other tests change them.
PLACES = ("model_name", "_dir", "_file_name", "path", "cloud", "secrets", "output_model_destination", "placeholder")


def paths():
    for path, described in walk(schema()):
        fixed = path.endswith(PLACES) or path.startswith(("additional_embeddings", "cloud", "secrets", "quantization"))
        if not fixed and "properties" not in described.get("items", {}) and "x-note" not in described:
            yield path.replace("*", "0")


PATHS = list(paths())
OWN = {name: [f"optimizer.{key}" for key in own] for name, own in schema()["x-optimizer-parameters"].items()}
OPTIMIZERS = leaf(schema(), "optimizer.optimizer")["x-supported"]


def values(path):
    """Values of a field: valid ones, its limits, and numbers that no library takes."""
    described = leaf(schema(), path)
    if path in COSTLY:
        return st.sampled_from(COSTLY[path])
    inside = {**described, **next(iter(described.get("anyOf", [])), {})}
    types = {inside["type"]} if isinstance(inside["type"], str) else set(inside["type"])
    kinds = [st.none()] if "null" in types else []
    if "enum" in described:
        kinds.append(st.sampled_from(described.get("x-supported", described["enum"])))
    elif "boolean" in types:
        kinds.append(st.booleans())
    elif types & {"integer", "number"}:
        kinds += numbers(inside, "integer" in types)
    elif "string" in types:
        kinds.append(st.sampled_from(["", "x", described.get("default") or ""]))
    else:
        kinds.append(st.just(described.get("default")))
    return st.one_of(kinds)


def numbers(described, whole):
    limits = [described[name] for name in ("minimum", "maximum", "exclusiveMaximum") if name in described]
    if whole:
        low, high = described.get("minimum", -2), described.get("maximum", 2**64)
        return [st.integers(low, min(high, low + 5)), st.sampled_from([*map(int, limits), 2**63, 2**64, -1])]
    low, high = described.get("minimum", -2), described.get("maximum", described.get("exclusiveMaximum", 4))
    return [st.floats(low, min(high, low + 4)), st.sampled_from([*SMALL, *HUGE, *limits, 5e-324])]


@st.composite
def changes(draw):
    """Changes by path: some of the optimizer's own settings, and some of all others."""
    optimizer = draw(st.sampled_from(OPTIMIZERS))
    own = [path for path in OWN[optimizer] if path in PATHS]
    others = [path for path in PATHS if not path.startswith("optimizer.")]
    chosen = draw(st.lists(st.sampled_from(own), max_size=3, unique=True))
    chosen += draw(st.lists(st.sampled_from(others), min_size=1, max_size=5, unique=True))
    return {"optimizer.optimizer": optimizer, **{path: draw(values(path)) for path in chosen}}


@pytest.fixture(scope="module")
def tiny(tmp_path_factory):
    return Tiny(tmp_path_factory.mktemp("tiny"))


@settings(
    max_examples=int(MORE or 25),
    derandomize=not MORE,
    deadline=None,
    suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow, HealthCheck.data_too_large],
)
@given(changes())
def test_a_config_that_the_check_calls_valid_trains(tiny, changed):
    config = tiny.config(**changed)
    if any(problem.is_error for problem in preflight(config, []).problems):
        return
    outcome = train(config, steps=2 * config["gradient_accumulation_steps"])
    assert outcome["moved"], "no weight moved"
    assert all(math.isfinite(values["loss"]) for _, values in outcome["metrics"])
