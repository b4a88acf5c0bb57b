"""The report, for the terminal, the page and bug reports. It holds no secrets."""

from __future__ import annotations

import json
import textwrap
from collections import Counter
from dataclasses import replace

from django.utils.timezone import now

from engine.interface.json_types import JsonObject
from operations.doctor.finding import FINE, FOUND, MENDED, NOTE, UNKNOWN, Finding
from operations.doctor.privacy import Cleaner

ALL_FINE, SOMETHING_FOUND, CANNOT_CHECK = 0, 1, 2  # exit statuses
WIDTH = 112
MOST_LINES = 25  # findings of one subject and level; the rest is counted
LEVELS = (FINE, NOTE, MENDED, *FOUND, UNKNOWN)


class Report:
    """The findings, without private data."""

    def __init__(self, findings: list[Finding]) -> None:
        clean = Cleaner()
        self.made_at = now()
        self.findings = [
            replace(finding, sentence=clean(finding.sentence), cure=clean(finding.cure)) for finding in findings
        ]

    @property
    def exit_status(self) -> int:
        levels = {finding.level for finding in self.findings}
        if UNKNOWN in levels:
            return CANNOT_CHECK
        return SOMETHING_FOUND if levels & set(FOUND) else ALL_FINE

    @property
    def summary(self) -> str:
        """The result in a sentence."""
        counts = Counter(finding.level for finding in self.findings)
        named = [f"{counts[level]} {level}" for level in LEVELS if counts[level]]
        mendable = sum(finding.mend is not None for finding in self.findings)
        more = f" {mendable} can be repaired with `manage.py doctor --mend`." if mendable else ""
        return f"{', '.join(named)}.{more}"

    def to_dict(self) -> JsonObject:
        return {
            "made_at": self.made_at.isoformat(timespec="seconds"),
            "exit_status": self.exit_status,
            "summary": self.summary,
            "findings": [finding.to_dict() for finding in self.findings],
        }

    def to_json(self) -> str:
        return json.dumps(self.to_dict(), indent=1)

    def to_text(self) -> str:
        lines = [f"OneTrainer Web UI, examined {self.made_at:%Y-%m-%d %H:%M} UTC"]
        for subject in dict.fromkeys(finding.subject for finding in self.findings):
            lines += ["", subject, *self._lines_of(subject)]
        return "\n".join([*lines, "", self.summary]) + "\n"

    def _lines_of(self, subject: str) -> list[str]:
        lines, shown = [], Counter[str]()
        for finding in self.findings:
            if finding.subject != subject:
                continue
            shown[finding.level] += 1
            if shown[finding.level] <= MOST_LINES:
                lines += _lines(finding)
        return [*lines, *(f"  {level:<8} and {count - MOST_LINES} more" for level, count in _too_many(shown))]


def _too_many(shown: Counter[str]) -> list[tuple[str, int]]:
    return [(level, count) for level, count in shown.items() if count > MOST_LINES]


def _lines(finding: Finding) -> list[str]:
    cure = f" To do: {finding.cure}." if finding.cure else ""
    begin, below = f"  {finding.level:<8} ", " " * 11
    return textwrap.wrap(
        finding.sentence + cure, WIDTH, initial_indent=begin, subsequent_indent=below, break_long_words=False
    )
