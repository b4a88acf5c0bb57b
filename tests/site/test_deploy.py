"""A test cannot build the container image; it checks that the copied files and called targets exist."""

from __future__ import annotations

import re

from django.conf import settings

from operations.management.commands.serve import Command

DOCKERFILE = settings.BASE_DIR / "deploy" / "Dockerfile"


def test_the_files_and_make_targets_of_the_image_exist():
    text, makefile = DOCKERFILE.read_text(), (settings.BASE_DIR / "Makefile").read_text()
    sources = [name for line in re.findall(r"^COPY (.+) \S+$", text, re.M) for name in line.split()]
    assert sources and all((settings.BASE_DIR / name).exists() for name in sources)
    targets = re.findall(r"^RUN make (\S+)", text, re.M)
    assert targets and all(f"\n{target.replace('.venv', '$(VENV)')}:" in makefile for target in targets)


def test_the_command_of_the_image_accepts_its_options():
    (command,) = re.findall(r'^CMD \["\.venv/bin/python", "manage\.py", "serve", (.+)\]$', DOCKERFILE.read_text(), re.M)
    parser = Command().create_parser("manage.py", "serve")
    assert parser.parse_args(re.findall(r'"(.+?)"', command)).host == "0.0.0.0"
