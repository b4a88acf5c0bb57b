#!/usr/bin/env python3
"""The project's command line: `manage.py serve`, `manage.py gpu_worker`, and Django's own commands."""

import argparse
import os
import sys


def main() -> None:
    os.environ.setdefault("DJANGO_SETTINGS_MODULE", "onetrainer_site.settings")
    choose_data_folder(sys.argv[2:])
    from django.conf import settings
    from django.core.exceptions import ImproperlyConfigured
    from django.core.management import execute_from_command_line

    try:
        settings.INSTALLED_APPS  # noqa: B018  reads the environment, so that a bad value ends here in one sentence
    except ImproperlyConfigured as error:
        sys.exit(refuse(f"{error} README.md lists the settings."))
    execute_from_command_line(sys.argv)


def refuse(sentence: str) -> int:
    """Say why nothing can be done; the doctor has a status of its own for what it could not look at."""
    sys.stderr.write(f"{sentence}\n")
    return 2 if sys.argv[1:2] == ["doctor"] else 1


def choose_data_folder(arguments: list[str]) -> None:
    """Obey --data-dir before the settings are read, since they read what lies in that folder."""
    parser = argparse.ArgumentParser(add_help=False, allow_abbrev=False)
    parser.add_argument("--data-dir")
    if folder := parser.parse_known_args(arguments)[0].data_dir:
        os.environ["DATA_DIR"] = folder


if __name__ == "__main__":
    main()
