"""Random trees of folders, files and links: the door opens what the kernel's `openat2` opens, and nothing else."""

import os
import tempfile
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from engine.paths.door import open_file
from engine.paths.opening import BENEATH, FOLDER, NO_MAGICLINKS, NO_SYMLINKS, has_openat2, open_below, openat2, walk
from engine.paths.policy import Policy, Purpose, Refused, Root

NAMES = ("a", "b", "c")
READ = os.O_RDONLY | os.O_NONBLOCK
TARGETS = st.lists(st.sampled_from([*NAMES, "..", "."]), min_size=1, max_size=5).map("/".join)
PLACES = st.lists(st.sampled_from(NAMES), min_size=1, max_size=3)
THINGS = st.one_of(
    st.tuples(st.just("file"), PLACES),
    st.tuples(st.just("folder"), PLACES),
    st.tuples(st.just("link"), PLACES, TARGETS, st.booleans()),
)
pytestmark = pytest.mark.skipif(not has_openat2(), reason="needs openat2 of Linux 5.6")


def grow(top, things):
    """`top/open` is the allowed folder; links may lead anywhere in `top`, by relative or absolute paths."""
    root = top / "open"
    (top / "a" / "b").mkdir(parents=True)
    (top / "a" / "c").write_text("outside")
    root.mkdir()
    for kind, parts, *more in things:
        place = root.joinpath(*parts)
        try:
            place.parent.mkdir(parents=True, exist_ok=True)
            if kind == "file":
                place.write_text("inside")
            elif kind == "folder":
                place.mkdir()
            else:
                place.symlink_to(top / more[0] if more[1] else more[0])
        except OSError:  # a name is taken, or leads through a file
            continue
    return root


def identity(descriptor):
    facts = os.fstat(descriptor)
    os.close(descriptor)
    return facts.st_dev, facts.st_ino


def by_kernel(root, name, resolve):
    """The file that the kernel opens from the allowed folder with this rule, or None."""
    folder = os.open(root, FOLDER)
    try:
        return identity(openat2(folder, name, READ, resolve))
    except OSError:
        return None
    finally:
        os.close(folder)


@settings(max_examples=150, deadline=None)
@given(st.lists(THINGS, max_size=8), TARGETS)
def test_the_door_opens_what_lies_beneath_and_nothing_else(things, name):
    with tempfile.TemporaryDirectory() as folder:
        root = grow(Path(folder).resolve(), things)
        policy = Policy((Root(str(root)),))
        try:
            with open_file(policy, str(root / name), Purpose.READ_TEXT) as file:
                opened = identity(os.dup(file.fileno()))
        except (Refused, OSError):
            opened = None
        beneath = by_kernel(root, name, BENEATH | NO_MAGICLINKS)
        anything = by_kernel(root, name, NO_MAGICLINKS)
        if opened is not None:
            # the kernel refuses `file/..`; the door resolves it, so that it does not tell which names exist outside
            assert anything in (opened, None)
            assert opened in {(one.stat().st_dev, one.stat().st_ino) for one in root.rglob("*") if not one.is_symlink()}
        elif beneath is not None and ".." not in name:  # the kernel opens folders too, the door only files
            assert not (root / name).is_file()


@settings(max_examples=150, deadline=None)
@given(st.lists(THINGS, max_size=8), PLACES)
def test_without_openat2_the_same_is_opened_name_by_name(things, parts):
    with tempfile.TemporaryDirectory() as folder:
        root = grow(Path(folder).resolve(), things)
        kernel = by_kernel(root, "/".join(parts), BENEATH | NO_SYMLINKS | NO_MAGICLINKS)
        for way in (walk, open_below):
            top = os.open(root, FOLDER)
            try:
                found = identity(way(top, parts, READ))
            except OSError:
                found = None
            finally:
                os.close(top)
            assert found == kernel
