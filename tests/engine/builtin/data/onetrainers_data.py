"""What OneTrainer's own modules make of given inputs: run by OneTrainer's Python, with JSON in and a torch file out."""

from __future__ import annotations

import json
import sys
from collections import Counter
from random import Random

import torch
from mgds.pipelineModules.CapitalizeTags import CapitalizeTags
from mgds.pipelineModules.DropTags import DropTags
from mgds.pipelineModules.RandomBrightness import RandomBrightness
from mgds.pipelineModules.RandomCircularMaskShrink import RandomCircularMaskShrink
from mgds.pipelineModules.RandomContrast import RandomContrast
from mgds.pipelineModules.RandomFlip import RandomFlip
from mgds.pipelineModules.RandomHue import RandomHue
from mgds.pipelineModules.RandomMaskRotateCrop import RandomMaskRotateCrop
from mgds.pipelineModules.RandomRotate import RandomRotate
from mgds.pipelineModules.RandomSaturation import RandomSaturation
from mgds.pipelineModules.ScaleCropImage import ScaleCropImage
from mgds.pipelineModules.ScaleImage import ScaleImage
from modules.model.util.clip_util import encode_clip
from modules.util.loss.masked_loss import masked_losses_with_prior
from transformers import CLIPTextConfig, CLIPTextModel

TAGS = {
    DropTags: {
        "enabled_in_name": "tag_dropout_enable",
        "probability_in_name": "tag_dropout_probability",
        "dropout_mode_in_name": "tag_dropout_mode",
        "special_tags_in_name": "tag_dropout_special_tags",
        "special_tag_mode_in_name": "tag_dropout_special_tags_mode",
        "regex_enabled_in_name": "tag_dropout_special_tags_regex",
        "delimiter_in_name": "tag_delimiter",
        "keep_tags_count_in_name": "keep_tags_count",
    },
    CapitalizeTags: {
        "enabled_in_name": "caps_randomize_enable",
        "probability_in_name": "caps_randomize_probability",
        "capitalize_mode_in_name": "caps_randomize_mode",
        "convert_lowercase_in_name": "caps_randomize_lowercase",
        "delimiter_in_name": "tag_delimiter",
    },
}
COLOURS = {"brightness": RandomBrightness, "contrast": RandomContrast, "saturation": RandomSaturation, "hue": RandomHue}


def made(kind, inputs, **options):
    """A module that reads its inputs from a dict."""
    module = kind(**options)
    module._get_previous_item = lambda variation, name, index: inputs.get(name)
    module._get_rand = lambda variation, index=-1: Random(variation * 1_000_003 + index)
    return module


def captions(settings, caption, count):
    """How often each caption comes out."""
    from mgds.pipelineModules.ShuffleTags import ShuffleTags

    shuffle = {
        "enabled_in_name": "enable_tag_shuffling",
        "delimiter_in_name": "tag_delimiter",
        "keep_tags_count_in_name": "keep_tags_count",
    }
    found = Counter()
    for index in range(count):
        inputs = dict(settings, text=caption)
        for number, (kind, names) in enumerate([*TAGS.items(), (ShuffleTags, shuffle)]):
            module = made(kind, inputs, text_in_name="text", text_out_name="text", **names)
            inputs["text"] = module.get_item(number, index)["text"]
        found[inputs["text"]] += 1
    return dict(found)


def picture(pixels, fixed):
    """Flipped, rotated and recoloured by fixed amounts, in OneTrainer's order."""
    inputs = {"image": pixels, "off": False, "on": True, **fixed}
    names = {"enabled_in_name": "off", "fixed_enabled_in_name": "on"}
    inputs["image"] = made(RandomFlip, inputs, names=["image"], **names).get_item(0, 0)["image"]
    rotate = made(RandomRotate, inputs, names=["image"], max_angle_in_name="rotate", **names)
    inputs["image"] = rotate.get_item(0, 0)["image"]
    for name, kind in COLOURS.items():
        module = made(kind, inputs, names=["image"], max_strength_in_name=name, **names)
        inputs["image"] = module.get_item(0, 0)["image"]
    return inputs["image"]


def brightnesses(strength, count):
    """The factors of random brightness."""
    inputs = {"image": torch.full((3, 1, 1), 0.5), "on": True, "off": False, "strength": strength}
    names = {"enabled_in_name": "on", "fixed_enabled_in_name": "off", "max_strength_in_name": "strength"}
    module = made(RandomBrightness, inputs, names=["image"], **names)
    return [module.get_item(0, index)["image"][0, 0, 0].item() * 2 for index in range(count)]


def latent_mask(mask, scaled, crop):
    inputs = {"mask": mask, "scaled": scaled, "crop": crop, "jitter": False}
    cut = made(
        ScaleCropImage,
        inputs,
        names=["mask"],
        scale_resolution_in_name="scaled",
        crop_resolution_in_name="crop",
        enable_crop_jitter_in_name="jitter",
        crop_offset_out_name="offset",
    )
    inputs["mask"] = cut.get_item(0, 0)["mask"]
    return made(ScaleImage, inputs, in_name="mask", out_name="small", factor=0.125).get_item(0, 0)["small"]


def areas(mask, count):
    """The area of a mask after each random shrink."""
    options = {"mask_name": "mask", "enabled_in_name": "on", "shrink_probability": 1.0, "shrink_factor_min": 0.2}
    module = made(RandomCircularMaskShrink, {"mask": mask, "on": True}, shrink_factor_max=1.0, **options)
    return [module.get_item(0, index)["mask"].sum().item() for index in range(count)]


def parts(mask, image, count):
    """The mask and picture around the mask, for each random number."""
    options = {"min_padding_percent": 10, "max_padding_percent": 30, "max_rotate_angle": 20, "min_size": 48}
    inputs = {"mask": mask, "image": image, "on": True}
    module = made(
        RandomMaskRotateCrop, inputs, mask_name="mask", additional_names=["image"], enabled_in_name="on", **options
    )
    return [module.get_item(0, index) for index in range(count)]


def hidden(layers, weights, tokens, skip):
    """Older versions of transformers have one module more around the text encoder's parts."""
    encoder = CLIPTextModel(CLIPTextConfig(**layers)).eval()
    prefix = "text_model." if hasattr(encoder, "text_model") else ""
    encoder.load_state_dict({prefix + name: weight for name, weight in weights.items()}, strict=True)
    with torch.no_grad():
        return encode_clip(encoder, tokens, layer_skip=skip, use_attention_mask=False)[0]


if __name__ == "__main__":
    source, target = sys.argv[1:]
    given = torch.load(source)
    tasks = json.loads(given["tasks"])
    torch.save(
        {
            "captions": [
                captions(settings, caption, tasks["count"])
                for settings, caption in zip(tasks["texts"], tasks["captions"], strict=True)
            ],
            "picture": picture(given["pixels"], tasks["fixed"]),
            "brightnesses": brightnesses(0.3, tasks["count"]),
            "mask": latent_mask(given["mask"], tasks["scaled"], tasks["crop"]),
            "areas": areas(given["mask"], tasks["count"]),
            "parts": parts(given["mask"], given["scene"], 30),
            "losses": [
                masked_losses_with_prior(
                    given["losses"].clone(), given["prior"].clone(), given["small"], 0.1, normal, 0.5
                )
                for normal in (False, True)
            ],
            "hidden": [hidden(given["layers"], given["encoder"], given["tokens"], skip) for skip in (0, 1, 2)],
        },
        target,
    )
