from __future__ import annotations

import pytest

from engine.demo.make_tokenizer import END, MAX_TOKENS, START, captions, make_tokenizer


@pytest.fixture(scope="module")
def tokenizer():
    return make_tokenizer()


def test_every_caption_is_known(tokenizer):
    assert len(captions()) == 6 * 4 * 5
    assert "a red star on white background" in captions()


def test_each_word_of_a_caption_is_one_token(tokenizer):
    for caption in captions():
        tokens = tokenizer.convert_ids_to_tokens(tokenizer(caption).input_ids)
        assert tokens == [START, *(f"{word}</w>" for word in caption.split()), END]


def test_a_prompt_is_padded_to_the_length_of_the_model(tokenizer):
    token_ids = tokenizer("a red star", padding="max_length", truncation=True).input_ids
    assert len(token_ids) == MAX_TOKENS
    assert token_ids[-1] == tokenizer.pad_token_id


def test_a_long_prompt_is_cut_before_its_end_mark(tokenizer):
    token_ids = tokenizer("a red star " * 50, truncation=True).input_ids
    assert len(token_ids) == MAX_TOKENS
    assert token_ids[-1] == tokenizer.eos_token_id


def test_an_unknown_word_is_split_into_pieces_and_is_not_lost(tokenizer):
    pieces = tokenizer.convert_ids_to_tokens(tokenizer("zebra").input_ids)[1:-1]
    assert len(pieces) > 1
    assert "".join(pieces) == "zebra</w>"


def test_capitals_make_no_difference(tokenizer):
    assert tokenizer("A Red STAR").input_ids == tokenizer("a red star").input_ids


def test_the_tokenizer_is_the_same_each_time(tokenizer):
    assert make_tokenizer().get_vocab() == tokenizer.get_vocab()


def test_the_tokenizer_survives_saving_and_loading(tokenizer, tmp_path):
    tokenizer.save_pretrained(tmp_path)
    again = type(tokenizer).from_pretrained(tmp_path)
    assert [again(caption).input_ids for caption in captions()] == [tokenizer(c).input_ids for c in captions()]
