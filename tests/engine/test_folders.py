"""Each folder of the engine imports only from folders below it."""

import ast
import sys
from pathlib import Path

import pytest

import engine

ENGINE = Path(engine.__file__).parent
# From the ground up.
BUILTIN = ["config", "families", "reading", "data", "training", "saving", "estimates", "inspection"]


def imports_of(file):
    """The full names of the modules that a file imports, wherever in the file."""
    for node in ast.walk(ast.parse(file.read_text())):
        if isinstance(node, ast.ImportFrom):
            yield f"{node.module}.{node.names[0].name}"
        elif isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)


def imports_of_folder(folder):
    return {(file.name, name) for file in folder.rglob("*.py") for name in imports_of(file)}


@pytest.mark.parametrize("folder", BUILTIN)
def test_a_folder_of_the_built_in_engine_imports_from_folders_below_it(folder):
    allowed = tuple(f"engine.builtin.{name}." for name in BUILTIN[: BUILTIN.index(folder) + 1])
    found = imports_of_folder(ENGINE / "builtin" / folder)
    above = {(file, name) for file, name in found if name.startswith("engine.builtin") and not name.startswith(allowed)}
    assert found
    assert above == set()


def test_the_interface_imports_itself_and_the_standard_library_alone():
    found = imports_of_folder(ENGINE / "interface")
    own = {(file, name) for file, name in found if name.startswith("engine.interface.")}
    assert own
    assert {(file, name) for file, name in found - own if name.split(".")[0] not in sys.stdlib_module_names} == set()
