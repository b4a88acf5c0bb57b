"""The demo's tokenizer: CLIP's kind, with a vocabulary of the words in its captions."""

import json
import tempfile
from itertools import product
from pathlib import Path

from tokenizers import Tokenizer, models, normalizers, pre_tokenizers, trainers
from transformers import CLIPTokenizer

from engine.demo.shapes import BACKGROUNDS, BASE_SHAPES, COLOURS, STAR

START, END = "<|startoftext|>", "<|endoftext|>"
MAX_TOKENS = 24
VOCABULARY_SIZE = 700


def captions() -> list[str]:
    """Every caption of the demo, stars included: the tokenizer knows the word, but no model knows its meaning."""
    return [
        f"a {colour} {shape} on {background} background"
        for colour, shape, background in product(COLOURS, (*BASE_SHAPES, STAR), BACKGROUNDS)
    ]


def make_tokenizer() -> CLIPTokenizer:
    """Learn byte-pair merges until each of these words is one token; any other word is split into pieces."""
    tokenizer = Tokenizer(models.BPE(end_of_word_suffix="</w>", continuing_subword_prefix=""))
    tokenizer.normalizer = normalizers.Lowercase()
    tokenizer.pre_tokenizer = pre_tokenizers.Sequence(
        [pre_tokenizers.WhitespaceSplit(), pre_tokenizers.ByteLevel(add_prefix_space=False)]
    )
    letters = sorted(pre_tokenizers.ByteLevel.alphabet())
    last_letters = [letter + "</w>" for letter in letters]  # listed here, so that their order is fixed
    trainer = trainers.BpeTrainer(
        vocab_size=VOCABULARY_SIZE,
        initial_alphabet=letters,
        end_of_word_suffix="</w>",
        special_tokens=[START, END, *last_letters],
        show_progress=False,
    )
    tokenizer.train_from_iterator(captions(), trainer)
    learned = json.loads(tokenizer.to_str())["model"]
    return _as_clip(learned["vocab"], learned["merges"])


def _as_clip(vocabulary: dict[str, int], merges: list[list[str]]) -> CLIPTokenizer:
    with tempfile.TemporaryDirectory() as folder:
        (Path(folder) / "vocab.json").write_text(json.dumps(vocabulary))
        (Path(folder) / "merges.txt").write_text("#version: 0.2\n" + "".join(f"{a} {b}\n" for a, b in merges))
        return CLIPTokenizer.from_pretrained(  # nosec B615 # from the folder above, not from the hub
            folder, model_max_length=MAX_TOKENS, bos_token=START, eos_token=END, unk_token=END, pad_token=END
        )
