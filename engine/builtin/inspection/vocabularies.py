"""Whether the numbers of a tokenizer's tokens are those that its text encoder was trained with.

A vocabulary of the right size with its numbers in another order gives a training that runs to its end without an
error, and knows none of its words.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path

from engine.builtin.families.model_files import CURE, NotAModel, read_description
from engine.builtin.families.published import MERGES, vocabulary
from engine.interface.json_types import JsonObject

Merge = tuple[str, str]
MOST_FALLS = 0.05  # share of a vocabulary; other kinds than CLIP's may have tokens that were added between its merges
NAMES = ("bos_token", "eos_token")


@dataclass(frozen=True)
class Vocabulary:
    """Tokens by number, and for a byte-pair vocabulary the pairs that are merged, in their order."""

    path: Path
    tokens: dict[str, int]
    merges: list[Merge] = field(default_factory=list)
    added: dict[str, int] = field(default_factory=dict)

    @property
    def numbers(self) -> dict[str, int]:
        return self.tokens | self.added


def of_fast(path: Path) -> Vocabulary | None:
    """The vocabulary of a `tokenizer.json`; None for a kind whose numbers it does not hold. Raises NotAModel."""
    content = read_description(path)
    model = content.get("model")
    tokens = model.get("vocab") if isinstance(model, dict) else None
    if not isinstance(model, dict) or not isinstance(tokens, dict):
        return None
    listed = content.get("added_tokens") or []
    added = {
        str(one.get("content")): one["id"] for one in listed if isinstance(one, dict) and _is_number(one.get("id"))
    }
    merges = [_pair(merge) for merge in model.get("merges") or []]
    return Vocabulary(path, _numbers(path, tokens), merges, added)


def of_pairs(folder: Path) -> Vocabulary:
    """The vocabulary of `vocab.json` and `merges.txt`. Raises NotAModel."""
    path = folder / "vocab.json"
    try:
        lines = (folder / "merges.txt").read_text(encoding="utf-8").splitlines()
    except (OSError, ValueError) as error:
        raise NotAModel(f"{folder / 'merges.txt'} cannot be read as text; {CURE}.") from error
    merges = [_pair(line) for line in lines if line.strip() and not line.startswith("#version")]
    extra = folder / "added_tokens.json"
    added = _numbers(extra, read_description(extra)) if extra.is_file() else {}
    return Vocabulary(path, _numbers(path, read_description(path)), merges, added)


def refuse_other_numbers(vocabulary: Vocabulary, kind: str) -> None:
    """Raise NotAModel for tokens with each other's numbers, or merges that belong to another vocabulary."""
    tokens, path = vocabulary.tokens, vocabulary.path
    twice = len(tokens) - len(set(tokens.values()))
    if twice:
        raise NotAModel(f"{path} gives {twice} of its tokens the number of another token; {CURE}.")
    if "CLIP" in kind:
        _refuse_unlike_published(vocabulary)
    for first, second in vocabulary.merges:
        unknown = next((token for token in (first, second, first + second) if token not in tokens), None)
        if unknown is not None:
            raise NotAModel(f"the merges of {path} use the token {unknown!r}, which its vocabulary lacks; {CURE}.")
    falls = _falls(vocabulary)
    if falls and ("CLIP" in kind or len(falls) > MOST_FALLS * len(vocabulary.merges)):
        raise NotAModel(
            f"the tokens of {path} are numbered in another order than its merges, such as {falls[0]!r}, so that the "
            f"text encoder would read other words than the captions; {CURE}."
        )


def special_numbers(folder: Path, vocabulary: Vocabulary) -> JsonObject:
    """The numbers of the first and the last token of a text, `bos_token_id` and `eos_token_id`. Raises NotAModel."""
    path = folder / "tokenizer_config.json"
    config = read_description(path) if path.exists() else {}
    found: JsonObject = {}
    for name in NAMES:
        token = _text_of(config.get(name))
        if not token:
            continue
        if token not in vocabulary.numbers:
            raise NotAModel(f"{path} names {token!r} as {name}, which the vocabulary lacks; {CURE}.")
        found[f"{name}_id"] = vocabulary.numbers[token]
    return found


def _refuse_unlike_published(given: Vocabulary) -> None:
    """A vocabulary of the size of CLIP's is CLIP's: every published text encoder of that size was trained with it."""
    published = vocabulary()
    if len(given.tokens) != len(published):
        return
    other = next((token for token, number in published.items() if given.tokens.get(token) != number), None)
    if other is not None:
        has = given.tokens.get(other)
        state = "lacks" if has is None else f"gives the number {has} to"
        raise NotAModel(
            f"{given.path} {state} the token {other!r}, which is number {published[other]} in the vocabulary of CLIP "
            f"that all text encoders of this size know; {CURE}."
        )
    lines = MERGES.read_text(encoding="utf-8").splitlines()[1:]
    if given.merges != [_pair(line) for line in lines]:
        raise NotAModel(f"the merges beside {given.path} are not those of CLIP, to which its tokens belong; {CURE}.")


def _falls(vocabulary: Vocabulary) -> list[str]:
    """Tokens whose number is below that of a token which was merged before them; each counts where it comes first."""
    falls, last, seen = [], -1, set()
    for first, second in vocabulary.merges:
        token = first + second
        number = vocabulary.tokens[token]
        if token not in seen and number < last:
            falls.append(token)
        last = number if token not in seen else last
        seen.add(token)
    return falls


def _numbers(path: Path, tokens: JsonObject) -> dict[str, int]:
    bad = next((token for token, number in tokens.items() if not _is_number(number)), None)
    if bad is not None:
        raise NotAModel(f"{path} gives the token {bad!r} no number; {CURE}.")
    return tokens


def _is_number(value: object) -> bool:
    return isinstance(value, int) and not isinstance(value, bool) and value >= 0


def _pair(merge: object) -> Merge:
    """A merge as the two texts that it joins: written as "a b", or as a list of two."""
    parts = merge.split(" ") if isinstance(merge, str) else merge
    if isinstance(parts, list) and len(parts) == 2 and all(isinstance(part, str) for part in parts):
        return parts[0], parts[1]
    raise NotAModel(f"a tokenizer has the merge {merge!r}, which does not join two texts; {CURE}.")


def _text_of(token: object) -> str:
    content = token.get("content") if isinstance(token, dict) else token
    return content if isinstance(content, str) else ""
