"""The locks: every pinned package is in them by hash, and torch is left to the index of the machine."""

from __future__ import annotations

import re

import pytest
from django.conf import settings

from operations.doctor.versions import PINNED

BLOCK = re.compile(r"^([a-z0-9-]+)(?:\[[^]]*\])?==(\S+)[^\n]*\\\n((?:    --hash=sha256:[0-9a-f]{64}(?: \\)?\n)+)", re.M)


def pins(name):
    text = (settings.BASE_DIR / name).read_text()
    return {(package.lower().replace("_", "-"), version) for package, version in PINNED.findall(text)}


def lock(name):
    return (settings.BASE_DIR / name).read_text()


@pytest.mark.parametrize("kind", ["requirements", "requirements-dev"])
def test_the_lock_file_contains_each_pinned_package_in_its_version(kind):
    missing = {pin for pin in pins(f"{kind}.txt") - pins(f"{kind}.lock") if pin[0] != "torch"}
    assert not missing, "run `make lock`"


@pytest.mark.parametrize("kind", ["requirements", "requirements-dev"])
def test_the_lock_names_each_package_with_its_hashes(kind):
    text = lock(f"{kind}.lock")
    packages = re.findall(r"^[a-z][^\n]*", text, re.M)
    assert len(packages) == len(BLOCK.findall(text)) > 10


@pytest.mark.parametrize("kind", ["requirements", "requirements-dev"])
def test_the_lock_names_no_index_and_no_build_of_torch(kind):
    text = lock(f"{kind}.lock")
    assert not re.search(r"^--|://|file:", text, re.M)
    assert not re.search(r"^(torch|triton|cuda-|nvidia-cu|nvidia-nccl)", text, re.M)


def test_both_locks_agree_on_a_package_that_is_in_both():
    site, tests = (dict(pins(name)) for name in ("requirements.lock", "requirements-dev.lock"))
    shared = site.keys() & tests.keys()
    assert {name: site[name] for name in shared} == {name: tests[name] for name in shared}
