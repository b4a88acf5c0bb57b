"""The numbers of weights of published models by part, for models that are not on this machine yet.

From the publishers' model cards and papers: Stable Diffusion 1 and 2 (CompVis, Stability AI), SDXL (arXiv:2307.01952),
Stable Diffusion 3 and 3.5 (arXiv:2403.03206), Stable Cascade (arXiv:2306.00637), PixArt (arXiv:2310.00426), Flux
(Black Forest Labs), Chroma, Sana (arXiv:2410.10629), HunyuanVideo (arXiv:2412.03603), HiDream-I1 (arXiv:2505.22705),
Qwen-Image (arXiv:2508.02324) and Z-Image; text encoders: CLIP (arXiv:2103.00020), OpenCLIP bigG, the encoder of T5-XXL
(arXiv:1910.10683), Llama 3.1 8B, Gemma 2 2B, Qwen 2.5 VL 7B, Qwen 3 4B.
"""

from __future__ import annotations

import re
from dataclasses import dataclass

MILLION = 1_000_000
CLIP_L, CLIP_H, CLIP_G, T5_XXL, LLAMA_8B, GEMMA_2B = 123, 340, 695, 4762, 8030, 2614
QWEN_25_7B, QWEN_3_4B, VAE = 8292, 4022, 84


@dataclass(frozen=True)
class KnownModel:
    """Millions of weights by part; `width` and `layers` of the denoising model, where it is a transformer."""

    parts: dict[str, int]
    width: int = 0
    layers: int = 0


def _with_t5(transformer: int, width: int, layers: int) -> KnownModel:
    return KnownModel({"transformer": transformer, "text_encoder": T5_XXL, "vae": VAE}, width, layers)


SD1 = KnownModel({"unet": 860, "text_encoder": CLIP_L, "vae": VAE})
SD2 = KnownModel({"unet": 866, "text_encoder": CLIP_H, "vae": VAE})
SDXL = KnownModel({"unet": 2567, "text_encoder": CLIP_L, "text_encoder_2": CLIP_G, "vae": VAE})
SD3_ENCODERS = {"text_encoder": CLIP_L, "text_encoder_2": CLIP_G, "text_encoder_3": T5_XXL, "vae": VAE}
SD3 = KnownModel({"transformer": 2028, **SD3_ENCODERS}, 1536, 24)
SD35_LARGE = KnownModel({"transformer": 8057, **SD3_ENCODERS}, 2432, 38)
SD35_MEDIUM = KnownModel({"transformer": 2243, **SD3_ENCODERS}, 1536, 24)
FLUX = KnownModel({"transformer": 11_901, "text_encoder": CLIP_L, "text_encoder_2": T5_XXL, "vae": VAE}, 3072, 57)
HUNYUAN = KnownModel({"transformer": 12_821, "text_encoder": LLAMA_8B, "text_encoder_2": CLIP_L, "vae": 246}, 3072, 60)
HI_DREAM = KnownModel({"transformer": 17_107, **SD3_ENCODERS, "text_encoder_4": LLAMA_8B}, 2560, 48)
QWEN = KnownModel({"transformer": 20_430, "text_encoder": QWEN_25_7B, "vae": 127}, 3072, 60)
Z_IMAGE = KnownModel({"transformer": 6155, "text_encoder": QWEN_3_4B, "vae": VAE}, 3840, 34)
SANA = KnownModel({"transformer": 1605, "text_encoder": GEMMA_2B, "vae": 312}, 2240, 20)
CASCADE = KnownModel(
    {"prior": 3600, "text_encoder": CLIP_G, "decoder": 1560, "effnet_encoder": 20, "decoder_vqgan": 18}
)

BY_TYPE = (
    (r"STABLE_DIFFUSION_15.*", r".*", SD1),
    (r"STABLE_DIFFUSION_2.*", r".*", SD2),
    (r"STABLE_DIFFUSION_XL.*", r".*", SDXL),
    (r"STABLE_DIFFUSION_3", r".*", SD3),
    (r"STABLE_DIFFUSION_35", r".*medium.*", SD35_MEDIUM),
    (r"STABLE_DIFFUSION_35", r".*large.*", SD35_LARGE),
    (r"STABLE_CASCADE_1", r".*", CASCADE),
    (r"PIXART_(ALPHA|SIGMA)", r".*", _with_t5(611, 1152, 28)),
    (r"FLUX_(FILL_)?DEV_1", r".*", FLUX),
    (r"CHROMA_1", r".*", _with_t5(8900, 3072, 57)),
    (r"SANA", r".*1600M.*", SANA),
    (r"HUNYUAN_VIDEO", r".*", HUNYUAN),
    (r"HI_DREAM_FULL", r".*", HI_DREAM),
    (r"QWEN", r".*", QWEN),
    (r"Z_IMAGE", r".*", Z_IMAGE),
)


def known_model(model_type: str, name: str) -> KnownModel | None:
    """The published model of this type; where a type has several sizes, the base model's name must say which."""
    for kind, names, model in BY_TYPE:
        if re.fullmatch(kind, model_type) and re.fullmatch(names, name, re.IGNORECASE | re.DOTALL):
            return model
    return None
