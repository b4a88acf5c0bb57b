"""Captions and prompts that are longer than a text encoder reads: the rest is cut off. No torch."""

from __future__ import annotations

import json
import re
import tempfile
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path

from tokenizers import AddedToken, Regex, Tokenizer, models, normalizers, pre_tokenizers, processors

from engine.builtin.config.train_config import TrainConfig
from engine.builtin.data.pictures import Picture
from engine.builtin.families.model_files import find_model, kind_of
from engine.builtin.families.published import CONFIGS, MERGES, vocabulary
from engine.builtin.reading.findings import Findings, Kind, printable
from engine.interface.errors import Problem
from engine.interface.safetensors_header import BadHeader, read_header

# Folder of each text encoder's tokenizer, its name for users, and the setting of its length.
ENCODERS = (
    ("tokenizer", "the text encoder", "text_encoder_sequence_length"),
    ("tokenizer_2", "the second text encoder", "text_encoder_2_sequence_length"),
    ("tokenizer_3", "the third text encoder", "text_encoder_3_sequence_length"),
)
LONGEST = 4096  # tokens: a larger number in a tokenizer's config stands for no limit
SHOWN = 40  # letters of the text that is cut off
# The words of CLIP's tokenizer (openai/CLIP, simple_tokenizer.py).
CLIP_WORDS = r"""<\|startoftext\|>|<\|endoftext\|>|'s|'t|'re|'ve|'m|'ll|'d|[\p{L}]+|[\p{N}]|[^\s\p{L}\p{N}]+"""
CLIP_TOKENS = 77
CARRIED = re.compile(r"tokenizer/\w[\w.-]*")  # a name that leads nowhere else
CLIP_START, CLIP_END = "<|startoftext|>", "<|endoftext|>"


@dataclass(frozen=True)
class Cut:
    """Where a text is cut off: its number of tokens, the last word that is read, and the text after it."""

    tokens: int
    last_word: str
    rest: str

    def __str__(self) -> str:
        rest = f"{self.rest[:SHOWN]}…" if len(self.rest) > SHOWN else self.rest
        return f"{self.tokens} tokens, after “{printable(self.last_word)}” without “{printable(rest)}”"


@dataclass(frozen=True)
class Encoder:
    """A text encoder's tokenizer, and the number of tokens that it reads, with those of start and end."""

    title: str
    tokenizer: Tokenizer
    limit: int

    def counts(self, texts: list[str]) -> list[int]:
        """The number of tokens of each text, with those of start and end."""
        return [len(encoding.ids) for encoding in self.tokenizer.encode_batch(texts)]

    def cuts(self, texts: list[str]) -> Iterator[Cut | None]:
        """Where each text is cut off; None for a text that is read whole."""
        for text, encoding in zip(texts, self.tokenizer.encode_batch(texts), strict=True):
            words = [
                at for at, special in zip(encoding.offsets, encoding.special_tokens_mask, strict=True) if not special
            ]
            kept = self.limit - (len(encoding.ids) - len(words))
            if len(words) <= kept:
                yield None
                continue
            yield Cut(len(encoding.ids), *_parted(text, words[kept][0]))


def _parted(text: str, end: int) -> tuple[str, str]:
    """(the last whole word before the end, what follows it); a script without spaces is parted at the end itself."""
    start = max(text.rfind(space, 0, end) for space in " \t\n") + 1 or end
    before = text[:start].split()
    return before[-1] if before else "", text[start:].strip()


def token_problems(config: TrainConfig, pictures: Iterable[Picture]) -> list[Problem]:
    """The captions and prompts of samples that a text encoder of the base model cuts off, for each encoder."""
    captions = [(picture, caption) for picture in pictures for caption in picture.captions]
    findings = Findings()
    for encoder in encoders_of(config):
        kind = _kind(encoder)
        for (picture, _), cut in zip(captions, encoder.cuts([text for _, text in captions]), strict=True):
            if cut:
                findings.add("concepts", kind, f"{printable(picture.path.name)} ({cut})")
        for number, sample in enumerate(config.samples or []):
            for name in ("prompt", "negative_prompt") if sample.enabled else ():
                (cut,) = encoder.cuts([getattr(sample, name)])
                if cut:
                    findings.add(f"samples.{number}.{name}", kind, str(cut))
    return findings.problems()


def encoders_of(config: TrainConfig) -> list[Encoder]:
    """The text encoders of the base model whose tokenizers are known.

    They are in its folder, or in its single file if this trainer wrote that; otherwise those of CLIP are known by type.
    """
    path = find_model(config.base_model_name, config.huggingface_cache_dir)
    if path and path.is_dir():
        return list(_in_folder(path, config))
    if path and (carried := _carried_by(path)):
        with tempfile.TemporaryDirectory() as folder:
            for name, text in carried.items():
                file = Path(folder) / name
                file.parent.mkdir(exist_ok=True)
                file.write_text(text, encoding="utf-8")
            return list(_in_folder(Path(folder), config))
    if not kind_of(config.model_type):
        return []
    merges = MERGES.read_text(encoding="utf-8")
    return [Encoder("the text encoder", _clip(vocabulary(), merges), CLIP_TOKENS)]


def _in_folder(folder: Path, config: TrainConfig) -> Iterator[Encoder]:
    for name, title, setting in ENCODERS:
        tokenizer, limit = _tokenizer(folder / name), _limit(folder / name)
        if tokenizer and limit:
            yield Encoder(title, tokenizer, min(limit, getattr(config, setting, None) or limit))


def _carried_by(file: Path) -> dict[str, str]:
    """The tokenizer's files in the metadata of a single file."""
    try:
        configs = json.loads(read_header(file).metadata.get(CONFIGS, "{}"))
    except (BadHeader, OSError, ValueError):  # the check of the base model reports a broken file
        return {}
    return {name: text for name, text in configs.items() if CARRIED.fullmatch(name)}


def _kind(encoder: Encoder) -> Kind:
    return Kind(
        f"{{number}} {{text is|texts are}} longer than the {encoder.limit} tokens that {encoder.title} reads: "
        "{names}; put what matters first, or shorten {it|them}"
    )


def _limit(folder: Path) -> int:
    """The longest input in tokens, or 0 if it has no limit, or no readable one."""
    try:
        limit = json.loads((folder / "tokenizer_config.json").read_text(encoding="utf-8"))["model_max_length"]
        return int(limit) if 2 < limit <= LONGEST else 0
    except (OSError, ValueError, KeyError, TypeError):  # the check of the base model reports broken files
        return 0


def _tokenizer(folder: Path) -> Tokenizer | None:
    """The tokenizer in a folder, from one file or as CLIP's two files; None if there is no readable one."""
    try:
        if (folder / "tokenizer.json").is_file():
            tokenizer = Tokenizer.from_file(str(folder / "tokenizer.json"))
        elif (folder / "merges.txt").is_file():
            tokens = json.loads((folder / "vocab.json").read_text(encoding="utf-8"))
            tokenizer = _clip(tokens, (folder / "merges.txt").read_text(encoding="utf-8"))
        else:
            return None
    except Exception:  # noqa: BLE001  the library raises plain Exception; the check of the base model reports broken files
        return None
    tokenizer.no_truncation()
    tokenizer.no_padding()
    return tokenizer


def _clip(tokens: dict[str, int], merges: str) -> Tokenizer:
    """CLIP's tokenizer from its vocabulary and the text of its merges, whose first line is a version."""
    pairs = [
        (first, second) for line in merges.splitlines()[1:] for first, _, second in [line.partition(" ")] if second
    ]
    tokenizer = Tokenizer(
        models.BPE(
            vocab=tokens,
            merges=pairs,
            unk_token=CLIP_END,
            continuing_subword_prefix="",
            end_of_word_suffix="</w>",
        )
    )
    tokenizer.add_special_tokens([AddedToken(CLIP_START, normalized=False), AddedToken(CLIP_END, normalized=False)])
    tokenizer.normalizer = normalizers.Sequence(
        [normalizers.NFC(), normalizers.Replace(Regex(r"\s+"), " "), normalizers.Lowercase()]
    )
    words = pre_tokenizers.Split(Regex(CLIP_WORDS), behavior="removed", invert=True)
    tokenizer.pre_tokenizer = pre_tokenizers.Sequence([words, pre_tokenizers.ByteLevel(add_prefix_space=False)])
    numbers = tokenizer.get_vocab()
    start, end = ((name, numbers[name]) for name in (CLIP_START, CLIP_END))
    tokenizer.post_processor = processors.RobertaProcessing(end, start, trim_offsets=False, add_prefix_space=False)
    return tokenizer
