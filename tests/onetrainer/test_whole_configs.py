"""What a config makes at random is made once: each attempt and each resume trains with the same values."""

from __future__ import annotations

import uuid

from engine.onetrainer import whole

EMBEDDING = {"placeholder": "<star>"}


def embeddings_of(backup):
    return {file.stem for file in (backup / "embeddings").iterdir()}


def test_all_that_two_configs_of_the_checkout_differ_in_is_known_as_random(facts):
    found = {
        (kind, name): fact["random"]
        for kind, of_kind in facts["classes"].items()
        for name, fact in of_kind["fields"].items()
        if "random" in fact
    }
    assert found == {("ConceptConfig", "seed"): "number", ("TrainEmbeddingConfig", "uuid"): "uuid"}


def test_a_new_run_gets_values_of_its_own_and_keeps_them(facts, config):
    config |= {"additional_embeddings": [dict(EMBEDDING), {"placeholder": "<moon>"}]}
    one, other = whole.completed(config, facts), whole.completed(config, facts)
    first, second = one["additional_embeddings"]
    assert first["uuid"] != second["uuid"] != other["additional_embeddings"][1]["uuid"]
    assert uuid.UUID(first["uuid"]).version == 4
    assert one["concepts"][0]["seed"] != other["concepts"][0]["seed"]
    assert whole.completed(one, facts) == one


def test_a_whole_config_says_all_that_the_checkout_would_fill_in(facts, config):
    made = whole.completed(config, facts)
    concept = facts["classes"]["ConceptConfig"]["fields"]
    assert concept.keys() <= made["concepts"][0].keys()
    assert facts["classes"]["SampleConfig"]["fields"].keys() <= made["samples"][0].keys()
    back = whole.compact(made, facts)
    seed = made["concepts"][0]["seed"]
    assert back["concepts"] == [{**config["concepts"][0], "seed": seed}]
    assert whole.completed(back, facts) == made


def test_the_values_of_another_optimizer_are_not_carried_along(facts):
    names = list(facts["optimizer_parameters"])
    made = whole.completed({"optimizer": {"optimizer": names[0]}}, facts)
    assert made["optimizer"].items() >= facts["optimizer_parameters"][names[0]].items()
    assert whole.compact(made, facts)["optimizer"] == {"optimizer": names[0]}


def test_a_resume_goes_on_with_its_embedding(start, config, facts):
    """The backup names an embedding's file by its uuid: with another uuid the embedding would begin again."""
    made = whole.completed(config | {"additional_embeddings": [dict(EMBEDDING)]}, facts)
    first = start(**made).wait()
    assert first.data("ended") == [{"reason": "finished"}], first.log
    backup = first.artifacts("backup")[0]
    expected = {made["additional_embeddings"][0]["uuid"]}
    assert embeddings_of(backup) >= expected
    second = start(resume_from=backup, **made | {"epochs": 3}).wait()
    assert second.data("ended") == [{"reason": "finished"}], second.log
    assert embeddings_of(second.artifacts("backup")[0]) == embeddings_of(backup)
    seeds = {whole.args_of(one)["concepts"][0]["seed"] for one in (backup, *second.artifacts("backup"))}
    assert seeds == {made["concepts"][0]["seed"]}


def test_a_run_of_an_older_site_goes_on_with_the_values_of_its_backup(start, config, facts):
    config |= {"additional_embeddings": [dict(EMBEDDING)], "embedding": {}}
    backup = start(**config).wait().artifacts("backup")[0]
    taken = whole.with_random_values(config, facts, backup)
    assert taken["additional_embeddings"][0]["uuid"] in embeddings_of(backup)
    assert taken["concepts"][0]["seed"] == whole.args_of(backup)["concepts"][0]["seed"]
    assert taken["embedding"]["uuid"] == whole.args_of(backup)["embedding"]["uuid"]
    assert taken["samples"] == config["samples"], "an old config may need a migration first"
    assert whole.with_random_values(taken, facts, None) == taken


def test_a_backup_of_other_concepts_lends_no_seed(start, config, facts, tmp_path):
    backup = start(**config).wait().artifacts("backup")[0]
    other = config | {"concepts": [{"path": str(tmp_path / "other"), "name": "stars"}]}
    taken = whole.with_random_values(other, facts, backup)["concepts"][0]["seed"]
    assert taken != whole.args_of(backup)["concepts"][0]["seed"]
