"""The dataset config of sd-scripts (kohya): data sets of subsets, each of which is a concept here.

Keys: docs/config_README-en.md of kohya-ss/sd-scripts.
"""

from __future__ import annotations

from engine.interface.json_types import JsonObject
from presets.foreign.tables import Translation, positive, resolution, translate


def is_dataset_config(content: JsonObject) -> bool:
    datasets = content.get("datasets")
    return isinstance(datasets, list) and any(isinstance(one, dict) and "subsets" in one for one in datasets)


def datasets(content: JsonObject, result: Translation) -> None:
    """Each subset is a concept; a value of a subset goes before that of its dataset, and that before [general]."""
    general = content.get("general") if isinstance(content.get("general"), dict) else {}
    concepts, sizes, batches = [], [], []
    for dataset in content["datasets"]:
        if not isinstance(dataset, dict):
            continue
        own = {**(general or {}), **{key: value for key, value in dataset.items() if key != "subsets"}}
        sizes += [own["resolution"]] if "resolution" in own else []
        batches += [own["batch_size"]] if "batch_size" in own else []
        for subset in dataset.get("subsets") or []:
            if isinstance(subset, dict):
                concepts.append(_subset({**own, **subset}, result))
    result.put("concepts", concepts)
    if sizes:
        translate((("resolution", "resolution", resolution),), {"resolution": sizes[0]}, result)
    if batches:
        translate((("batch_size", "batch_size", positive),), {"batch_size": batches[0]}, result)
    if any(size != sizes[0] for size in sizes) or any(batch != batches[0] for batch in batches):
        result.note("The datasets have different resolutions or batch sizes: the first was taken for all.")


KNOWN_OF_SUBSETS = {
    *("image_dir", "num_repeats", "is_reg", "shuffle_caption", "keep_tokens", "flip_aug", "random_crop"),
    *("caption_extension", "caption_tag_dropout_rate", "resolution", "batch_size", "enable_bucket", "cache_info"),
    *("min_bucket_reso", "max_bucket_reso", "bucket_reso_steps", "bucket_no_upscale", "caption_separator"),
}


def _subset(values: JsonObject, result: Translation) -> JsonObject:
    concept: JsonObject = {"path": str(values.get("image_dir", ""))}
    if (repeats := values.get("num_repeats")) is not None:
        concept |= {"balancing": float(repeats), "balancing_strategy": "REPEATS"}
    if values.get("is_reg"):
        concept["type"] = "PRIOR_PREDICTION"
    left = {key: value for key, value in values.items() if key not in KNOWN_OF_SUBSETS}
    translate((), left, result)
    return concept_of(values, concept, result)


def concept_of(values: JsonObject, concept: JsonObject, result: Translation) -> JsonObject:
    """The settings of captions and pictures, which a subset and the arguments share."""
    words: JsonObject = {}
    if values.get("shuffle_caption"):
        words |= {"enable_tag_shuffling": True, "keep_tags_count": int(values.get("keep_tokens") or 0)}
        words["tag_delimiter"] = str(values.get("caption_separator") or ",")
    if rate := values.get("caption_tag_dropout_rate"):
        words |= {"tag_dropout_enable": True, "tag_dropout_mode": "RANDOM", "tag_dropout_probability": float(rate)}
    ending = str(values.get("caption_extension") or ".txt")
    if ending not in (".txt", "txt"):
        result.note(f"The captions end in {ending}: press Check to see whether they are found.")
    pictures = {"enable_random_flip": bool(values.get("flip_aug"))} if "flip_aug" in values else {}
    if "random_crop" in values:
        pictures["enable_crop_jitter"] = bool(values["random_crop"])
    parts = {"text": words, "image": pictures}
    return {**concept, **{name: part for name, part in parts.items() if part}}
