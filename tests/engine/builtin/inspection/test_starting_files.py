"""LoRA and embedding files are read before a start: their kind, model, rank, strength and numbers."""

from pathlib import Path

import pytest
import torch
from peft import IA3Config, LoHaConfig, LoKrConfig, LoraConfig, OFTConfig, get_peft_model, get_peft_model_state_dict
from safetensors.torch import save_file
from torch import nn

from engine.builtin.config.train_config import TrainConfig
from engine.builtin.families.model_files import read_model
from engine.builtin.inspection.adapters import NotALora, read_adapter
from engine.builtin.inspection.embeddings import look_at_starting_embeddings
from engine.builtin.inspection.starting_lora import look_at_starting_lora

DEMO = read_model(Path("engine/demo/model"))
LAYER = "down_blocks_0_attentions_0_transformer_blocks_0_attn2_to_k"
DOTTED = "down_blocks.0.attentions.0.transformer_blocks.0.attn2.to_k"
WIDTHS = {"Stable Diffusion 1": 768, "Stable Diffusion 2": 1024, "Stable Diffusion XL": 2048}


def lora(rank=4, width=768, base=f"lora_unet_{LAYER}", down="lora_down", up="lora_up"):
    return {f"{base}.{down}.weight": torch.ones(rank, width), f"{base}.{up}.weight": torch.ones(320, rank)}


def hada(rank=4, width=768, base=f"lora_unet_{LAYER}"):
    names = {"hada_w1_a": (320, rank), "hada_w1_b": (rank, width), "hada_w2_a": (320, rank), "hada_w2_b": (rank, width)}
    return {f"{base}.{name}": torch.ones(shape) for name, shape in names.items()}


def lokr(width=768, base=f"lora_unet_{LAYER}"):
    return {f"{base}.lokr_w1": torch.ones(8, 8), f"{base}.lokr_w2": torch.ones(40, width // 8)}


def stored(tmp_path, tensors):
    path = tmp_path / "start.safetensors"
    save_file({name: weight.contiguous() for name, weight in tensors.items()}, path)
    return path


def problems(path, model=None, **settings):
    values = {"model_type": "STABLE_DIFFUSION_15", "training_method": "LORA", "lora_rank": 4, "lora_alpha": 4}
    config = TrainConfig.from_dict({**values, "lora_model_name": str(path), **settings})
    return list(look_at_starting_lora(config, model))


def only(found, severity="error"):
    (problem,) = [one for one in found if one.severity == severity]
    return problem


OLD_DIFFUSERS = f"unet.{DOTTED[:-4]}processor.to_k_lora"


@pytest.mark.parametrize(
    "tensors, layout",
    [
        (lora(), "kohya"),
        (lora(base=f"unet.{DOTTED}", down="lora_A", up="lora_B"), "diffusers"),
        (lora(base=f"base_model.model.{DOTTED}", down="lora_A.default", up="lora_B.default"), "peft"),
        (lora(base=f"diffusion_model.{DOTTED}", down="lora_A", up="lora_B"), "ComfyUI"),
        (lora(base=OLD_DIFFUSERS, down="down", up="up"), "diffusers"),
    ],
)
def test_a_lora_is_recognized_in_every_layout(tmp_path, tensors, layout):
    adapter = read_adapter(stored(tmp_path, tensors))
    facts = (adapter.kind, adapter.layout, adapter.family, adapter.ranks)
    assert facts == ("LoRA", layout, "Stable Diffusion 1", [4])


@pytest.mark.parametrize("family", WIDTHS)
@pytest.mark.parametrize("make", [lora, hada, lokr])
def test_the_model_is_read_from_the_width_of_the_text(tmp_path, make, family):
    assert read_adapter(stored(tmp_path, make(width=WIDTHS[family]))).family == family


KINDS = {
    "LoHa": hada(),
    "LoKr": lokr(),
    "DoRA": lora() | {f"lora_unet_{LAYER}.dora_scale": torch.ones(1, 768)},
    "LoCon": {
        "lora_unet_x.lora_down.weight": torch.ones(4, 320, 3, 3),
        "lora_unet_x.lora_up.weight": torch.ones(320, 4, 1, 1),
    },
    "OFT": {f"lora_unet_{LAYER}.oft_blocks": torch.ones(4, 8, 8)},
    "BOFT": {f"unet.{DOTTED}.boft_R": torch.ones(1, 4, 8, 8)},
    "IA3": {f"lora_unet_{LAYER}.on_input": torch.ones(1)},
}


@pytest.mark.parametrize("kind", KINDS)
def test_the_kind_of_a_file_is_known_and_said(tmp_path, kind):
    path = stored(tmp_path, KINDS[kind])
    assert read_adapter(path).kind == kind
    found = problems(path)
    if kind != "LoCon":  # a LoRA of convolutions, which every LoRA training can go on with
        assert f" {kind}" in only(found).message
    else:
        assert not [one for one in found if one.is_error]


OF_PEFT = {
    "LoRA": LoraConfig(r=4, target_modules=["to_k"]),
    "LoCon": LoraConfig(r=4, target_modules=["to_k", "conv"]),
    "DoRA": LoraConfig(r=4, target_modules=["to_k"], use_dora=True),
    "LoHa": LoHaConfig(r=4, target_modules=["to_k"]),
    "LoKr": LoKrConfig(r=4, target_modules=["to_k"]),
    "OFT": OFTConfig(r=0, oft_block_size=32, target_modules=["to_k"]),
    "IA3": IA3Config(target_modules=["to_k"], feedforward_modules=[]),
}


class Part(nn.Module):
    def __init__(self):
        super().__init__()
        self.attn2 = nn.ModuleDict({"to_k": nn.Linear(768, 64)})
        self.conv = nn.Conv2d(4, 8, 3)


@pytest.mark.parametrize("kind", OF_PEFT)
def test_a_file_of_peft_is_called_by_its_name(tmp_path, kind):
    weights = get_peft_model_state_dict(get_peft_model(Part(), OF_PEFT[kind]))
    adapter = read_adapter(stored(tmp_path, weights))
    assert (adapter.kind, adapter.layout) == (kind, "peft")
    assert adapter.layers[0] == "base_model.model.attn2.to_k"


def test_several_rotations_of_lycoris_are_a_boft(tmp_path):
    weights = {"lycoris_attn2_to_k.oft_blocks": torch.ones(5, 16, 4, 4)}
    assert read_adapter(stored(tmp_path, weights)).kind == "BOFT"


@pytest.mark.parametrize("peft_type, kind", [("LOHA", "LoHa"), ("LOKR", "LoKr"), ("OFT_2", "OFT"), ("LORA", "LoCon")])
def test_a_file_of_the_config_s_own_kind_is_taken(tmp_path, peft_type, kind):
    assert not [one for one in problems(stored(tmp_path, KINDS[kind]), peft_type=peft_type) if one.is_error]


def test_the_sentence_names_kind_model_and_what_is_trained(tmp_path):
    path = stored(tmp_path, hada(rank=8, width=2048))
    message = only(problems(path)).message
    assert "is a LoHa for Stable Diffusion XL with rank 8" in message and "trains Stable Diffusion 1" in message


def test_another_rank_is_an_error_of_the_rank(tmp_path):
    problem = only(problems(stored(tmp_path, lora(rank=8))))
    assert problem.field == "lora_rank" and "rank 8" in problem.message and "is 4" in problem.message


def test_layers_of_different_ranks_are_refused(tmp_path):
    tensors = lora(rank=4) | lora(rank=16, base="lora_unet_mid_block_attentions_0_proj_in")
    assert "different ranks, 4 to 16" in only(problems(stored(tmp_path, tensors))).message


@pytest.mark.parametrize("dtype", [torch.float32, torch.float16, torch.bfloat16, torch.int64])
def test_another_alpha_is_a_warning(tmp_path, dtype):
    tensors = lora() | {f"lora_unet_{LAYER}.alpha": torch.tensor(2).to(dtype)}
    problem = only(problems(stored(tmp_path, tensors), text_encoder={"train": False}), "warning")
    assert problem.field == "lora_alpha" and "alpha 2" in problem.message


@pytest.mark.parametrize("half", [".lora_down.", ".lora_up."])
def test_a_layer_with_one_of_its_two_matrices_is_refused(tmp_path, half):
    tensors = {name: weight for name, weight in lora().items() if half in name}
    assert (
        f"one of the two matrices of a layer, such as lora_unet_{LAYER}"
        in only(problems(stored(tmp_path, tensors))).message
    )


def test_numbers_that_are_not_finite_are_named(tmp_path):
    tensors = lora()
    tensors[f"lora_unet_{LAYER}.lora_up.weight"][3, 1] = float("nan")
    assert f"{LAYER}.lora_up.weight" in only(problems(stored(tmp_path, tensors))).message


def test_a_lora_of_a_model_with_other_layers_is_refused(tmp_path):
    path = stored(tmp_path, lora(width=96, base="lora_unet_down_blocks_7_attentions_0_proj_in"))
    assert "none of the 1 layers" in only(problems(path, DEMO)).message
    mine = stored(tmp_path, lora(width=96, base=f"unet.{DOTTED}", down="lora_A", up="lora_B"))
    assert problems(mine, DEMO, layer_filter=DOTTED, text_encoder={"train": False}) == []


def test_a_lora_with_few_of_the_layers_to_train_is_a_warning(tmp_path):
    path = stored(tmp_path, lora(width=96))
    total = len([shape for shape in DEMO.unet_weights.values() if len(shape) in (2, 4)])
    of_unet, of_encoder = problems(path, DEMO)
    assert f"holds 1 of the {total} layers of unet" in of_unet.message
    assert "no layers of the text encoder" in of_encoder.message
    assert not of_unet.is_error and not of_encoder.is_error


def test_a_lora_whose_strength_is_zero_is_refused(tmp_path):
    tensors = lora() | {f"lora_unet_{LAYER}.alpha": torch.tensor(0.0)}
    assert "alpha 0" in only(problems(stored(tmp_path, tensors))).message


def test_a_lora_whose_layers_could_not_learn_is_refused(tmp_path):
    tensors = {name: torch.zeros_like(weight) for name, weight in lora().items()}
    assert "1 of the 1 layers" in only(problems(stored(tmp_path, tensors))).message
    untrained = lora()
    untrained[f"lora_unet_{LAYER}.lora_up.weight"].zero_()  # as every LoRA starts
    assert not [one for one in problems(stored(tmp_path, untrained)) if one.is_error]


@pytest.mark.parametrize(
    "layer, lacks",
    [
        ("lora_te2_text_model_encoder_layers_0_mlp_fc1", True),
        ("lora_te_text_model_encoder_layers_11_mlp_fc1", True),  # the demo's encoder has two layers
        ("lora_te_text_model_encoder_layers_1_mlp_fc1", False),
        ("text_encoder.encoder.layers.1.mlp.fc1", False),
    ],
)
def test_layers_of_a_text_encoder_that_the_model_lacks_are_named(tmp_path, layer, lacks):
    path = stored(tmp_path, lora(width=96) | lora(width=96, base=layer))
    found = [one.message for one in problems(path, DEMO, layer_filter=DOTTED)]
    assert any(layer in message and "the base model does not have" in message for message in found) == lacks


def test_a_trained_text_encoder_that_the_run_leaves_out_is_a_warning(tmp_path):
    tensors = lora(width=96) | lora(width=96, base="lora_te_text_model_encoder_layers_0_mlp_fc1")
    path = stored(tmp_path, tensors)
    given = {"model": DEMO, "layer_filter": DOTTED}
    assert "text_encoder.train" in only(problems(path, text_encoder={"train": False}, **given), "warning").message
    assert problems(path, text_encoder={"train": True}, **given) == []


@pytest.mark.parametrize(
    "tensors, what",
    [
        ({"emb_params": torch.ones(2, 768)}, "an embedding"),
        ({"model.diffusion_model.x": torch.ones(2)}, "a whole model"),
        ({"control_model.x": torch.ones(2)}, "a ControlNet"),
        ({"anything": torch.ones(2)}, "other weights"),
    ],
)
def test_a_file_without_a_lora_is_called_what_it_is(tmp_path, tensors, what):
    with pytest.raises(NotALora, match=what):
        read_adapter(stored(tmp_path, tensors))


def test_a_pickle_and_a_missing_file_are_refused(tmp_path):
    assert "pickle" in only(problems(tmp_path / "x.ckpt")).message
    assert "does not exist" in only(problems(tmp_path / "x.safetensors")).message


def test_a_run_that_trains_no_lora_does_not_look(tmp_path):
    assert problems(tmp_path / "x.safetensors", training_method="FINE_TUNE") == []


def of_embedding(path, **settings):
    values = {"model_type": "STABLE_DIFFUSION_15", "training_method": "EMBEDDING"}
    embedding = {"model_name": str(path), "token_count": 2}
    return list(
        look_at_starting_embeddings(TrainConfig.from_dict({**values, "embedding": embedding, **settings}), None)
    )


def test_an_embedding_s_tokens_and_width_are_held_against_the_config(tmp_path):
    path = stored(tmp_path, {"emb_params": torch.ones(2, 768)})
    assert of_embedding(path) == []
    assert "width 768" in only(of_embedding(path, model_type="STABLE_DIFFUSION_21")).message
    assert "no clip_l" in of_embedding(path, model_type="STABLE_DIFFUSION_XL_10_BASE")[0].message
    problem = only(of_embedding(stored(tmp_path, {"emb_params": torch.ones(5, 768)})), "warning")
    assert problem.field == "embedding.token_count" and "has 5 tokens" in problem.message


def test_an_embedding_with_nan_and_a_file_without_embedding_are_refused(tmp_path):
    wrong = torch.full((2, 768), float("nan"))
    assert "NaN" in only(of_embedding(stored(tmp_path, {"emb_params": wrong}))).message
    assert "no embedding" in only(of_embedding(stored(tmp_path, {"x": torch.ones(3)}))).message
    (tmp_path / "start.safetensors").write_bytes(b"garbage")
    assert "damaged" in only(of_embedding(tmp_path / "start.safetensors")).message
