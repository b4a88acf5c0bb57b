"""The languages of the pages: English, and those with a catalog in locale/."""

from pathlib import Path

from django.conf.locale import LANG_INFO


def languages(folder: Path) -> list[tuple[str, str]]:
    """English, and each language with a compiled catalog in the folder, with its own name."""
    found = {file.parent.parent.name.replace("_", "-").lower() for file in folder.glob("*/LC_MESSAGES/django.mo")}
    return [(code, LANG_INFO[code]["name_local"]) for code in sorted({"en", *found} & LANG_INFO.keys())]
