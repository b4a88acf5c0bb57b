"""The files of a tokenizer: without them a text encoder would be trained on wrong tokens, without any error."""

from __future__ import annotations

from pathlib import Path

from engine.builtin.families.model_files import CURE, Incomplete, NotAModel, read_description
from engine.builtin.inspection.vocabularies import (
    Vocabulary,
    of_fast,
    of_pairs,
    refuse_other_numbers,
    special_numbers,
)
from engine.interface.json_types import JsonObject

NO_LIMIT = 10**6
SENTENCE_PIECE = ("spiece.model", "tokenizer.model", "sentencepiece.bpe.model")


def look_at_tokenizer(folder: Path, kind: str) -> JsonObject:
    """The largest token's number (-1 if its file does not show it) and the longest text in tokens (0: no limit).

    They are "largest_id" and "longest"; beside them "bos_token_id" and "eos_token_id" where they are known. Raises
    NotAModel, also for tokens with wrong numbers.

    A fast tokenizer is one `tokenizer.json`; a CLIP tokenizer can be `vocab.json` and `merges.txt`, others one model
    of SentencePiece.
    """
    longest = _longest(folder / "tokenizer_config.json")
    if (folder / "tokenizer.json").exists():
        return _of_fast(folder, kind) | {"longest": longest}
    if (folder / "vocab.json").exists() or "CLIP" in kind:
        return _judged(folder, kind, _of_pairs(folder)) | {"longest": longest}
    found = next((folder / name for name in SENTENCE_PIECE if (folder / name).is_file()), None)
    if found is None:
        raise Incomplete(f"{folder} has no tokenizer: neither tokenizer.json nor {SENTENCE_PIECE[0]}; {CURE}.")
    if not found.stat().st_size:
        raise NotAModel(f"{found} is empty; {CURE}.")
    return {"largest_id": -1}


def _longest(path: Path) -> int:
    """`model_max_length`; 0 where it is missing, or a number like 1e30 that stands for no limit."""
    limit = read_description(path).get("model_max_length") if path.exists() else None
    return int(limit) if isinstance(limit, int | float) and 0 < limit < NO_LIMIT else 0


def _of_fast(folder: Path, kind: str) -> JsonObject:
    path = folder / "tokenizer.json"
    content = read_description(path)
    model = content.get("model")
    tokens = model.get("vocab") if isinstance(model, dict) else None
    if not tokens:
        raise NotAModel(f"{path} has no vocabulary; {CURE}.")
    vocabulary = of_fast(path)
    if vocabulary is None:  # a list, whose tokens have their places as numbers
        added = content.get("added_tokens") or []
        return {"largest_id": max(len(tokens) - 1, *[one.get("id", -1) for one in added if isinstance(one, dict)], -1)}
    if (folder / "vocab.json").exists() and _of_pairs(folder).tokens != vocabulary.tokens:
        raise NotAModel(f"{path} and vocab.json beside it number their tokens differently; {CURE}.")
    return _judged(folder, kind, vocabulary)


def _judged(folder: Path, kind: str, vocabulary: Vocabulary) -> JsonObject:
    refuse_other_numbers(vocabulary, kind)
    largest = max(vocabulary.numbers.values(), default=-1)
    return {"largest_id": largest, **special_numbers(folder, vocabulary)}


def _of_pairs(folder: Path) -> Vocabulary:
    read_description(folder / "vocab.json")
    merges = folder / "merges.txt"
    if not merges.is_file() or not merges.stat().st_size:
        raise NotAModel(f"{folder} has no merges.txt, or it is empty, so captions cannot be split into tokens; {CURE}.")
    vocabulary = of_pairs(folder)
    if not vocabulary.tokens:
        raise NotAModel(f"{vocabulary.path} has no tokens; {CURE}.")
    return vocabulary
