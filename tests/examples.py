"""The code examples of README and docs, as they are written there."""

from __future__ import annotations

import re
import textwrap
from dataclasses import dataclass
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
PAGES = [ROOT / "README.md", ROOT / "CONTRIBUTING.md", ROOT / "engine/demo/README.md", *sorted(ROOT.glob("docs/*.md"))]
LANGUAGES = ("sh", "python", "json")


@dataclass(frozen=True)
class Example:
    """One block; `before` is the text above it since the block before."""

    page: str
    language: str
    code: str
    before: str

    @property
    def first_line(self) -> str:
        return self.code.splitlines()[0].strip()

    @property
    def file(self) -> str:
        """The file of the code that the example belongs to: the last one named before it."""
        return re.findall(r"`([\w/]+\.py)`", self.before)[-1]


def examples() -> list[Example]:
    found = []
    for page in PAGES:
        text, end = page.read_text(), 0
        for block in re.finditer(r"^( *)```(\w+)\n(.*?)^ *```$", text, re.M | re.S):
            if block[2] in LANGUAGES:
                code = textwrap.dedent(block[3])
                found.append(Example(str(page.relative_to(ROOT)), block[2], code, text[end : block.start()]))
                end = block.end()
    return found


def example(page: str, beginning: str) -> Example:
    """The example of a page that begins so."""
    [found] = [one for one in examples() if one.page == page and one.code.startswith(beginning)]
    return found


def lines(code: str) -> list[str]:
    """The commands of a shell example, without comments and with continued lines joined."""
    joined = code.replace("\\\n", " ")
    bare = (re.sub(r"(^|\s)#.*$", "", line).strip() for line in joined.splitlines())
    return [line for line in bare if line]
