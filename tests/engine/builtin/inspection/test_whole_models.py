"""A base model is judged whole before a start: its parts, their files, how they fit, and its numbers."""

import json
import shutil
from pathlib import Path

import pytest
import torch
from diffusers import StableDiffusionPipeline
from safetensors.torch import load_file, save_file

from engine.builtin.config.train_config import TrainConfig
from engine.builtin.families.model_files import NotAModel, read_model
from engine.builtin.families.published import MERGES, vocabulary
from engine.builtin.families.single_file import clip, save_single_file
from engine.builtin.inspection.finite import first_not_finite
from engine.builtin.inspection.folders import look_at_folder
from engine.builtin.inspection.layers import look_at_layers
from engine.builtin.inspection.single_files import look_at_single_file
from engine.builtin.inspection.tokenizers import look_at_tokenizer
from engine.builtin.preflight import look_at_model
from tests.engine.builtin.inspection.test_preflight import ATTENTION, UNET, write_header

DEMO = Path("engine/demo/model")
WEIGHTS = "diffusion_pytorch_model.safetensors"


@pytest.fixture
def model(tmp_path):
    return Path(shutil.copytree(DEMO, tmp_path / "model"))


def change(path, **values):
    path.write_text(json.dumps(json.loads(path.read_text()) | values))


def rewrite(path, change_of):
    tensors = load_file(path)
    change_of(tensors)
    save_file(tensors, path)


def found(path, severity="error", **settings):
    config = TrainConfig.from_dict({"model_type": "STABLE_DIFFUSION_15", "base_model_name": str(path)} | settings)
    _model, problems = look_at_model(config, lambda *_: None)
    return [problem.message for problem in problems if problem.severity == severity]


def says(path, *words):
    text = " ".join(found(path))
    assert all(word in text for word in words), text


def test_the_demo_is_whole():
    assert list(look_at_folder(DEMO)) == [] and found(DEMO) == []


@pytest.mark.parametrize("part", ["unet", "vae", "text_encoder", "tokenizer", "scheduler"])
def test_a_part_that_the_index_names_must_be_there(model, part):
    shutil.rmtree(model / part)
    says(model, f"no folder {part}", "model_index.json")


@pytest.mark.parametrize("part", ["vae", "tokenizer", "scheduler"])
@pytest.mark.parametrize("entry", [None, [None, None]])
def test_a_part_that_the_index_does_not_name_is_missed(model, part, entry):
    change(model / "model_index.json", **{part: entry})
    says(model, f"names no {part}")


def test_a_safety_checker_may_be_missing(model):
    change(model / "model_index.json", safety_checker=["stable_diffusion", "StableDiffusionSafetyChecker"])
    assert found(model) == []


def as_pairs(folder):
    content = json.loads((folder / "tokenizer.json").read_text())["model"]
    (folder / "vocab.json").write_text(json.dumps(content["vocab"]))
    merges = [merge if isinstance(merge, str) else " ".join(merge) for merge in content["merges"]]
    (folder / "merges.txt").write_text("\n".join(["#version: 0.2", *merges, ""]))
    (folder / "tokenizer.json").unlink()


def test_a_tokenizer_can_be_vocabulary_and_merges(model):
    as_pairs(model / "tokenizer")
    assert found(model) == []


@pytest.mark.parametrize("name", ["vocab.json", "merges.txt"])
def test_a_tokenizer_without_vocabulary_or_merges_is_named(model, name):
    as_pairs(model / "tokenizer")
    (model / "tokenizer" / name).unlink()
    says(model, name)


def test_a_tokenizer_with_more_tokens_than_the_text_encoder_is_refused(model):
    path = model / "tokenizer" / "tokenizer.json"
    content = json.loads(path.read_text())
    content["added_tokens"].append(content["added_tokens"][0] | {"id": 577, "content": "<new>"})
    path.write_text(json.dumps(content))
    says(model, "tokens up to 577", "knows 577")


def shuffled(tokens):
    names = [name for name in tokens if not name.startswith("<|")]
    return tokens | dict(zip(names, [tokens[name] for name in names[::-1]], strict=True))


def exchanged(one, other):
    def change_tokens(tokens):
        return tokens | {one: tokens[other], other: tokens[one]}

    return change_tokens


OTHER_NUMBERS = [
    (shuffled, "another order than its merges"),
    (exchanged("red</w>", "star</w>"), "another order than its merges"),
    (exchanged("<|endoftext|>", "red</w>"), "another order than its merges"),
    (exchanged("<|endoftext|>", "<|startoftext|>"), "has the eos_token_id 0"),
    (lambda tokens: tokens | {"red</w>": tokens["star</w>"]}, "the number of another token"),
    (lambda tokens: {name: number for name, number in tokens.items() if name != "red</w>"}, "vocabulary lacks"),
    (lambda tokens: tokens | {"red</w>": "7"}, "no number"),
]


@pytest.mark.parametrize("change_tokens, words", OTHER_NUMBERS)
def test_tokens_with_other_numbers_than_the_text_encoder_knows_are_refused(model, change_tokens, words):
    as_pairs(model / "tokenizer")
    path = model / "tokenizer" / "vocab.json"
    path.write_text(json.dumps(change_tokens(json.loads(path.read_text()))))
    says(model, words)


def test_both_forms_of_a_tokenizer_must_number_the_tokens_alike(model):
    path = model / "tokenizer" / "vocab.json"
    path.write_text(json.dumps(shuffled(json.loads(path.read_text()))))
    says(model, "vocab.json beside it")


@pytest.mark.parametrize(
    "change_files, words",
    [
        (lambda vocab, merges: (vocab, merges), ""),
        (lambda vocab, merges: (exchanged("cat</w>", "dog</w>")(vocab), merges), "in the vocabulary of CLIP"),
        (lambda vocab, merges: (exchanged("!", "A")(vocab), merges), "in the vocabulary of CLIP"),
        (lambda vocab, merges: (vocab, merges[:-1]), "not those of CLIP"),
        (lambda vocab, merges: (vocab, merges[1:] + merges[:1]), "not those of CLIP"),
    ],
)
def test_a_vocabulary_of_clip_s_size_is_clip_s(tmp_path, change_files, words):
    vocab, merges = change_files(vocabulary(), MERGES.read_text().splitlines()[1:])
    (tmp_path / "vocab.json").write_text(json.dumps(vocab))
    (tmp_path / "merges.txt").write_text("\n".join(["#version: 0.2", *merges]))
    if not words:
        assert look_at_tokenizer(tmp_path, "CLIPTokenizer")["largest_id"] == 49407
    else:
        with pytest.raises(NotAModel, match=words):
            look_at_tokenizer(tmp_path, "CLIPTokenizer")


def test_a_special_token_that_the_vocabulary_lacks_is_named(model):
    change(model / "tokenizer" / "tokenizer_config.json", eos_token="</s>")
    says(model, "'</s>' as eos_token")


def test_marks_of_published_configs_are_taken_as_they_are(model):
    change(model / "text_encoder" / "config.json", bos_token_id=0, eos_token_id=2)
    assert found(model) == []


def zeros(tensors):
    tensors.update({name: torch.zeros_like(weight) for name, weight in tensors.items()})


def half_ones(tensors):
    names = [name for name, weight in tensors.items() if weight.dim() > 1]
    tensors.update({name: torch.ones_like(tensors[name]) for name in names[::2]})


@pytest.mark.parametrize("part, file", [("unet", WEIGHTS), ("vae", WEIGHTS), ("text_encoder", "model.safetensors")])
def test_a_part_without_knowledge_is_named(model, part, file):
    rewrite(model / part / file, half_ones)
    assert found(model) == [] and f"matrices of {part}" in " ".join(found(model, "warning"))
    rewrite(model / part / file, zeros)
    says(model, f"every matrix of {part}")


def in_shards(folder):
    """The weights in two files and an index, as large models are published."""
    tensors = load_file(folder / WEIGHTS)
    names = sorted(tensors)
    halves = names[: len(names) // 2], names[len(names) // 2 :]
    places = {}
    for number, half in enumerate(halves, 1):
        file = f"diffusion_pytorch_model-0000{number}-of-00002.safetensors"
        save_file({name: tensors[name] for name in half}, folder / file)
        places |= dict.fromkeys(half, file)
    (folder / WEIGHTS).unlink()
    (folder / f"{WEIGHTS}.index.json").write_text(json.dumps({"metadata": {}, "weight_map": places}))


def test_shards_are_read_by_their_index(model):
    in_shards(model / "unet")
    assert found(model) == []


def test_a_missing_or_an_empty_shard_is_named(model):
    in_shards(model / "unet")
    shard = model / "unet" / "diffusion_pytorch_model-00002-of-00002.safetensors"
    shard.write_bytes(b"")
    says(model, shard.name)
    shard.unlink()
    says(model, shard.name, "lacks")


def test_an_index_that_names_a_tensor_which_no_shard_has_is_refused(model):
    in_shards(model / "unet")
    index = model / "unet" / f"{WEIGHTS}.index.json"
    content = json.loads(index.read_text())
    content["weight_map"]["lost.weight"] = next(iter(content["weight_map"].values()))
    index.write_text(json.dumps(content))
    says(model, "lost.weight")


def test_weights_that_only_a_variant_names_are_explained(model):
    (model / "unet" / WEIGHTS).rename(model / "unet" / "diffusion_pytorch_model.fp16.safetensors")
    says(model, "variant fp16", "rename")


@pytest.mark.parametrize(
    "part, setting",
    [
        ("unet", {"in_channels": 8}),
        ("unet", {"block_out_channels": [48, 80, 128]}),
        ("unet", {"layers_per_block": 2}),
        ("unet", {"cross_attention_dim": 64}),
        ("vae", {"latent_channels": 16}),
        ("vae", {"layers_per_block": 3}),
        ("text_encoder", {"hidden_size": 768}),
        ("text_encoder", {"vocab_size": 49408}),
        ("text_encoder", {"num_hidden_layers": 12}),
    ],
)
def test_weights_of_another_shape_than_the_config_says_are_refused(model, part, setting):
    change(model / part / "config.json", **setting)
    says(model, part, "its config.json")


def test_parts_of_different_models_are_refused(model):
    def narrow(tensors):
        for name in [name for name in tensors if "attn2.to_k" in name or "attn2.to_v" in name]:
            tensors[name] = tensors[name][:, :64].contiguous()

    rewrite(model / "unet" / WEIGHTS, narrow)
    change(model / "unet" / "config.json", cross_attention_dim=64)
    says(model, "text of width 64", "give 96")


@pytest.mark.parametrize("number", [float("nan"), float("inf"), float("-inf")])
@pytest.mark.parametrize("part", ["unet", "vae"])
def test_weights_that_are_not_finite_are_named(model, part, number):
    def spoil(tensors):
        tensors["conv_in.weight" if part == "unet" else "decoder.conv_in.weight"].view(-1)[-1] = number

    rewrite(model / part / WEIGHTS, spoil)
    says(model, "NaN or infinity", "conv_in.weight", part)


@pytest.mark.parametrize("dtype", [torch.float64, torch.float32, torch.float16, torch.bfloat16, torch.float8_e5m2])
def test_numbers_of_every_format_are_looked_at(tmp_path, dtype):
    path = tmp_path / "x.safetensors"
    large = torch.tensor([torch.finfo(dtype).max, torch.finfo(dtype).tiny, 0.0], dtype=torch.float64).to(dtype)
    save_file({"finite": large, "count": torch.tensor([2**62])}, path)
    assert first_not_finite([path]) is None
    save_file({"finite": large, "wrong": torch.tensor([1.0, float("inf")], dtype=torch.float64).to(dtype)}, path)
    assert first_not_finite([path]) == (path, "wrong")


def test_the_mask_of_an_attention_may_be_infinite(tmp_path):
    path = tmp_path / "x.safetensors"
    save_file({"model.attn_mask": torch.tensor([float("-inf")])}, path)
    assert first_not_finite([path]) is None


def test_a_tensor_without_numbers_is_refused(model):
    rewrite(model / "unet" / WEIGHTS, lambda tensors: tensors.update({"conv_in.bias": torch.zeros(0)}))
    says(model, "conv_in.bias", "without numbers")


@pytest.mark.parametrize("missing", ["vae", "text_encoder"])
def test_a_single_file_without_vae_or_text_encoder_says_which_base_has_them(tmp_path, missing):
    shapes = {
        ATTENTION: (320, 768),
        f"{UNET}input_blocks.0.0.weight": (320, 4, 3, 3),
        "first_stage_model.x": (2,),
        "cond_stage_model.x": (2,),
    }
    start = "first" if missing == "vae" else "cond"
    path = tmp_path / "one.safetensors"
    write_header(path, {name: shape for name, shape in shapes.items() if not name.startswith(start)})
    says(path, "has no VAE" if missing == "vae" else "has no text encoder", "stable-diffusion-v1-5")
    write_header(path, shapes)
    assert list(look_at_single_file(path, read_model(path))) == []


def test_a_model_of_another_prediction_than_its_type_gets_a_warning(model):
    for part in ("unet", "text_encoder"):
        change(model / part / "config.json", **({"cross_attention_dim": 1024} if part == "unet" else {}))
    warnings = found(model, "warning", model_type="STABLE_DIFFUSION_21_BASE")
    assert any("choose STABLE_DIFFUSION_21 " in text for text in warnings)


def test_files_that_a_hub_can_still_send_are_a_warning_online_and_an_error_offline(model, tmp_path, monkeypatch):
    monkeypatch.setenv("HF_HUB_CACHE", str(tmp_path / "hub"))
    monkeypatch.delenv("HF_HUB_OFFLINE", raising=False)
    snapshot = tmp_path / "hub" / "models--owner--model" / "snapshots" / "abc"
    snapshot.parent.mkdir(parents=True)
    model.rename(snapshot)
    assert found("owner/model") == []
    shutil.rmtree(snapshot / "tokenizer")
    assert found("owner/model") == [] and "in part only" in found("owner/model", "warning")[0]
    assert "no folder tokenizer" in found("owner/model", offline_mode=True)[0]
    (snapshot / "unet" / WEIGHTS).write_bytes(b"damaged")
    assert any("not a safetensors file" in text for text in found("owner/model"))


def test_a_part_of_another_kind_is_named(model):
    shutil.rmtree(model / "vae")
    shutil.copytree(model / "unet", model / "vae")
    says(model, "vae holds a UNet2DConditionModel", "names an AutoencoderKL")


@pytest.mark.parametrize("factor", [0, -1, None, float("inf"), "0.18"])
def test_a_vae_whose_latents_would_be_void_is_refused(model, factor):
    change(model / "vae" / "config.json", scaling_factor=factor)
    says(model, "scaling_factor", "must be above 0")


@pytest.mark.parametrize(
    "changes, words",
    [
        ({"beta_schedule": None}, "lacks beta_schedule"),
        ({"prediction_type": "sample"}, "is sample"),
        ({"_class_name": "FlowMatchEulerDiscreteScheduler"}, "flow matching"),
    ],
)
def test_a_scheduler_that_gives_other_noise_than_the_model_knows_is_refused(model, changes, words):
    """Diffusers takes its own defaults for what is missing, so that the training ran on wrong noise."""
    change(model / "scheduler" / "scheduler_config.json", **changes)
    says(model, words)


def test_a_tokenizer_that_gives_more_tokens_than_its_text_encoder_takes_is_refused(model):
    change(model / "tokenizer" / "tokenizer_config.json", model_max_length=512)
    says(model, "gives 512 tokens", "takes 24")


def test_a_list_of_shards_counts_before_whole_weights_as_in_diffusers(model):
    (model / "unet" / f"{WEIGHTS}.index.json").write_text(json.dumps({"weight_map": {"a": "shard.safetensors"}}))
    says(model, "lacks shard.safetensors")


@pytest.mark.parametrize("method", ["LORA", "FINE_TUNE"])
@pytest.mark.parametrize("pattern, expected", [("attn1", 0), ("", 0), ("no_such_layer", 1)])
def test_a_filter_that_matches_no_layer_is_seen_before_the_start(method, pattern, expected):
    values = {"model_type": "STABLE_DIFFUSION_15", "training_method": method, "layer_filter": pattern}
    found = list(look_at_layers(TrainConfig.from_dict(values), read_model(DEMO)))
    assert [problem.field for problem in found] == ["layer_filter"] * expected


@pytest.mark.parametrize("pattern, expected", [("attn1", 0), ("down_blocks.1.resnets.0.conv1", 0), ("in_layers", 1)])
def test_the_layers_of_a_single_file_have_the_names_that_the_filter_knows(tmp_path, pattern, expected):
    path, pipeline = tmp_path / "one.safetensors", StableDiffusionPipeline.from_pretrained(DEMO)
    save_single_file(pipeline, path, torch.float32, {}, clip(pipeline.text_encoder.state_dict(), "cond_stage_model."))
    single, values = read_model(path), {"model_type": "STABLE_DIFFUSION_15", "training_method": "LORA"}
    assert {name: tuple(weight.shape) for name, weight in pipeline.unet.state_dict().items()} == single.unet_weights
    found = list(look_at_layers(TrainConfig.from_dict(values | {"layer_filter": pattern}), single))
    assert [problem.field for problem in found] == ["layer_filter"] * expected
