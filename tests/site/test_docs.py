"""Files and names in the docs exist."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
PAGES = [ROOT / "README.md", ROOT / "CONTRIBUTING.md", ROOT / "CHANGELOG.md", ROOT / "engine/demo/README.md"]
PAGES += sorted((ROOT / "docs").glob("*.md"))


@pytest.mark.parametrize("page", PAGES, ids=lambda page: str(page.relative_to(ROOT)))
def test_each_link_to_a_file_has_a_target(page):
    targets = re.findall(r"\]\((?!https?:|#)([^)#\s]+)", page.read_text())
    assert [target for target in targets if not (page.parent / target).exists()] == []


def test_each_module_named_in_the_architecture_exists():
    named = set(re.findall(r"`([\w/]+/[\w]+\.(?:py|js))`", (ROOT / "docs/architecture.md").read_text()))
    assert len(named) > 10
    assert sorted(name for name in named if not (ROOT / name).is_file()) == []


def test_each_code_name_in_the_architecture_is_in_the_code():
    source = "\n".join(path.read_text() for path in ROOT.glob("[eopstw]*/**/*.py") if "tests" not in path.parts)
    text = (ROOT / "docs/architecture.md").read_text()
    named = {
        part for name in re.findall(r"`([A-Z]\w+\.\w+|_[a-z_]+|[A-Z][A-Z_]{5,})`", text) for part in name.split(".")
    }
    assert len(named) > 10
    assert sorted(name for name in named if not re.search(rf"\b{name}\b", source)) == []
