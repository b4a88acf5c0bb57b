"""Each floor imports only from below itself, and no file and no folder imports itself by a detour."""

from __future__ import annotations

from collections import Counter

from tests.house.imports import FLOORS, ROOT, circles, code_of, file_graph, room_graph

MOST_FILES = 25


def floor_of(module: str) -> int:
    return FLOORS.index(module.partition(".")[0])


def test_no_module_imports_from_a_floor_above():
    upward = [
        f"{a} imports {b}"
        for a, found in file_graph(ROOT, code_of()).items()
        for b in found
        if floor_of(b) > floor_of(a)
    ]
    assert upward == []


def test_no_files_import_each_other_in_a_circle():
    assert circles(file_graph(ROOT, code_of())) == []


def test_no_folders_import_each_other_in_a_circle():
    assert circles(room_graph(ROOT, code_of())) == []


def test_no_folder_has_too_many_files():
    counted = Counter(path.parent for path in code_of() if path.name != "__init__.py")
    assert {str(folder): count for folder, count in counted.items() if count > MOST_FILES} == {}


def test_a_circle_is_found_through_functions_and_app_labels(tmp_path):
    (tmp_path / "web").mkdir()
    (tmp_path / "system").mkdir()
    (tmp_path / "web/a.py").write_text("def late():\n    from system.models import Job\n")
    (tmp_path / "system/models.py").write_text(
        'import web.b\nfrom django.apps import apps\napps.get_model("training", "Run")\n'
    )
    (tmp_path / "web/b.py").write_text("from web import a\n")
    assert circles(file_graph(tmp_path, code_of(tmp_path))) == [["system.models", "web.a", "web.b"]]
