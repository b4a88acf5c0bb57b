"""The words that CONTRIBUTING.md bans do not come back into anything that a person reads."""

from __future__ import annotations

import ast
import re
import tomllib
from collections.abc import Iterator
from functools import cache
from pathlib import Path

import pytest

from tests.house.imports import FLOORS, ROOT

TEMPLATE_CODE = re.compile(r"\{#.*?#\}|\{% comment %\}.*?\{% endcomment %\}|\{\{.*?\}\}", re.DOTALL)
TAG = re.compile(r"<[^>]*>|\{%.*?%\}", re.DOTALL)
READ_IN_TAGS = re.compile(r"""(?:translate|title=|placeholder=|aria-label=|alt=|content=)\s*["']([^"'{]+)["']""")
SCRIPT_STRING = re.compile(r"""(?:gettext|interpolate)\(\s*["'`]([^"'`]+)["'`]""")


@cache
def banned() -> re.Pattern[str]:
    """The second column of the table of words, each entry a word or phrase; small letters only, as in a sentence."""
    rows = re.findall(r"^\| (?!write)[^|]+ \| ([^|]+) \|$", (ROOT / "CONTRIBUTING.md").read_text(), re.MULTILINE)
    words = [word.strip() for row in rows for word in row.split(",") if word.strip() and set(word) - set("- ")]
    assert len(words) > 20
    return re.compile(rf"(?<![\w-])(?:{'|'.join(map(re.escape, words))})(?![\w-])")


def strings_of(path: Path) -> Iterator[tuple[int, str]]:
    """All strings of three words and more: sentences, help texts, log lines and docstrings."""
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Constant) and isinstance(node.value, str) and node.value.count(" ") >= 2:
            yield node.lineno, re.sub(r"`[^`]*`", "", node.value)  # names of the code keep their words


def texts_of(path: Path) -> Iterator[tuple[int, str]]:
    match path.suffix:
        case ".py":
            yield from strings_of(path)
        case ".html":
            text = TEMPLATE_CODE.sub("", path.read_text(encoding="utf-8"))
            yield from ((0, found) for found in READ_IN_TAGS.findall(text))
            yield 0, TAG.sub(" ", text)
        case ".js":
            yield from ((0, found) for found in SCRIPT_STRING.findall(path.read_text(encoding="utf-8")))
        case ".toml":
            yield from ((0, found) for found in _strings(tomllib.loads(path.read_text(encoding="utf-8"))))
        case _:
            text = path.read_text(encoding="utf-8")
            yield 0, re.sub(r"```.*?```|`[^`]*`", "", text, flags=re.DOTALL)


def _strings(value: object) -> Iterator[str]:
    if isinstance(value, str):
        yield value
    elif isinstance(value, dict):
        for one in value.values():
            yield from _strings(one)
    elif isinstance(value, list):
        for one in value:
            yield from _strings(one)


def files() -> list[Path]:
    code = [path for floor in FLOORS for path in (ROOT / floor).rglob("*.py") if "migrations" not in path.parts]
    pages = [*(ROOT / "templates").rglob("*.html"), *(ROOT / "static/js").rglob("*.js")]
    docs = [
        ROOT / "README.md",
        ROOT / "CHANGELOG.md",
        ROOT / "engine/fields.toml",
        ROOT / "onetrainer_site/api_description.md",
    ]
    return sorted([*code, *pages, *docs, *(ROOT / "docs").glob("*.md")])


def around(match: re.Match[str]) -> str:
    return " ".join(match.string[max(0, match.start() - 40) : match.end() + 40].split())


@pytest.mark.parametrize("kind", [".py", ".html", ".js", ".toml", ".md"])
def test_no_text_uses_a_word_that_is_banned(kind):
    found = [
        f"{path.relative_to(ROOT)}:{line}: {match[0]!r} in {around(match)!r}"
        for path in files()
        if path.suffix == kind
        for line, text in texts_of(path)
        for match in banned().finditer(text)
    ]
    assert found == []


def test_a_banned_word_is_found_where_a_person_reads_it(tmp_path):
    page = tmp_path / "page.html"
    page.write_text('<p class="mend">{% translate "Press to mend it" %}</p>{# mend #}')
    assert [banned().findall(text) for _, text in texts_of(page)] == [["mend"], []]
