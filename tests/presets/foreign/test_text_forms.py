"""Config files as text: JSON, TOML and YAML in the encodings that editors write, and files that mean harm."""

import pytest

from presets.config.intake import take_in
from presets.foreign.text_forms import MOST_ALIASES, read_text

ENCODINGS = ["utf-8", "utf-8-sig", "utf-16", "utf-16-le", "utf-16-be"]


@pytest.mark.parametrize("encoding", ENCODINGS)
@pytest.mark.parametrize(
    "name, text", [("a.json", '{"epochs": 3}'), ("a.toml", "epochs = 3"), ("a.yaml", "epochs: 3"), ("", "epochs: 3")]
)
def test_every_encoding_of_an_editor_is_read(name, text, encoding):
    content = text.encode(encoding)
    assert read_text(content, name) == {"epochs": 3}


def test_a_mark_in_pasted_text_is_read_past():
    assert read_text('\ufeff{"a": 1}') == {"a": 1}


def test_dates_and_keys_of_other_kinds_become_text():
    assert read_text("1: 2024-05-06\nwhen: [2024-05-06]", "x.yaml") == {"1": "2024-05-06", "when": ["2024-05-06"]}


def test_a_few_aliases_are_read():
    assert read_text("a: &x {k: 1}\nb: *x\nc:\n  <<: *x\n  m: 2", "x.yml")["c"] == {"k": 1, "m": 2}


BOMB = "a0: &a0 [x, x]\n" + "\n".join(f"a{n}: &a{n} [{', '.join([f'*a{n - 1}'] * 9)}]" for n in range(1, 9))
MERGES = "a0: &a0 {k: 1}\n" + "\n".join(f"a{n}: &a{n} {{<<: [{', '.join([f'*a{n - 1}'] * 9)}]}}" for n in range(1, 9))


@pytest.mark.parametrize(
    "name, text",
    [
        ("bomb.yaml", BOMB),
        ("merges.yaml", MERGES),
        ("deep.yaml", "[" * 5000),
        ("deep.toml", "a = " + "[" * 5000),
        ("deep.json", "[" * 50_000),
        ("circle.yaml", "a: &a [*a]"),
        ("python.yaml", "a: !!python/object/apply:os.system ['true']"),
        ("large.yaml", "a: " + "x" * 300_000),
        ("nul.yaml", 'a: "\\0"'),
        ("half.toml", 'a = "\\ud800"'),
        ("nan.json", '{"a": NaN}'),
        ("bytes.json", "\x00\x01"),
        ("two.yaml", "a: 1\n---\nb: 2"),
    ],
)
def test_a_text_that_means_harm_is_refused_at_once(name, text):
    with pytest.raises(ValueError):
        read_text(text, name)


def test_bytes_that_are_no_text_are_refused():
    with pytest.raises(ValueError):
        read_text(b"\xff\x00\xfe\x80\x81", "x.json")


def test_more_aliases_than_the_limit_are_refused():
    lines = ["a: &a 1"] + [f"b{n}: *a" for n in range(MOST_ALIASES)]
    assert len(read_text("\n".join(lines), "x.yaml")) == MOST_ALIASES + 1
    with pytest.raises(ValueError, match="aliases"):
        read_text("\n".join([*lines, "c: *a"]), "x.yaml")


def test_a_learning_rate_in_scientific_notation_is_a_number_in_yaml_too():
    """hiyouga/LlamaFactory#4014: YAML reads 2e-5 as text."""
    text = "config:\n  process:\n  - type: sd_trainer\n    train: {lr: 2e-5}\n"
    assert take_in(read_text(text, "a.yaml")).config["learning_rate"] == 2e-5


def test_toml_that_an_editor_of_windows_wrote_is_read():
    """bmaltais/kohya_ss#2312: the reader failed on the file's first bytes."""
    content = 'pretrained_model_name_or_path = "D:/Modelle/für mich"\nnetwork_dim = 8'.encode("utf-8-sig")
    assert take_in(read_text(content, "a.toml")).config["base_model_name"] == "D:/Modelle/für mich"
