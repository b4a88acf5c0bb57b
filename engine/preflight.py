"""A check before a start, in a process of its own: `python -m engine.preflight SPEC.json`.

Progress and result are printed as JSON lines.
"""

from __future__ import annotations

import json
import sys
import time
from collections.abc import Callable
from pathlib import Path

from engine.guest.confinement import confine_to
from engine.interface.confinement import Confinement
from engine.interface.errors import Problem
from engine.interface.json_types import JsonObject
from engine.interface.preflight import PreflightResult, Report, failures_as_problems
from engine.paths.here import install
from engine.paths.permits import Permits

REPORT_SECONDS = 0.2


def _printer() -> Report:
    """Prints the progress of the check a few times a second."""
    last = 0.0
    stage_before = ""

    def report(stage: str, current: int, total: int) -> None:
        nonlocal last, stage_before
        if stage == stage_before and current != total and time.monotonic() - last < REPORT_SECONDS:
            return
        last, stage_before = time.monotonic(), stage
        print(json.dumps({"stage": stage, "current": current, "total": total}), flush=True)  # noqa: T201  the site reads it

    return report


def _preflight_of(engine: str | None) -> Callable[[JsonObject, list[JsonObject], Report], PreflightResult]:
    from engine.builtin.preflight import preflight
    from engine.onetrainer import schema as onetrainer
    from engine.onetrainer.preflight import FACTS_SECONDS
    from engine.onetrainer.preflight import preflight as of_onetrainer

    if engine != "onetrainer":
        return preflight
    facts = onetrainer.facts_if_known(FACTS_SECONDS)
    return lambda config, gpus, report: of_onetrainer(config, gpus, report, facts)


def _comparison(spec: JsonObject) -> Callable[[JsonObject, Path, Report], list[Problem]]:
    from engine.builtin.preflight import compare_data
    from engine.onetrainer.preflight import compare_files

    return compare_files if spec.get("engine") == "onetrainer" else compare_data


def _tell(confinement: Confinement) -> None:
    """The worker's log shows what a check writes to stderr."""
    if confinement.is_a_failure:
        print(confinement.sentence, file=sys.stderr, flush=True)  # noqa: T201


def main(spec_file: Path) -> None:
    spec = json.loads(spec_file.read_text())
    _tell(confine_to(spec.get("guest")))  # before the libraries start threads
    install(Permits.from_spec(spec))
    result = PreflightResult()
    with failures_as_problems(result.problems, "", "this config"):
        if spec.get("resume_from"):
            result = PreflightResult(_comparison(spec)(spec["config"], Path(spec["resume_from"]), _printer()))
        else:
            result = _preflight_of(spec.get("engine"))(spec["config"], spec.get("gpus", []), _printer())
            from engine.downloads import add_download

            with failures_as_problems(result.problems, "base_model_name", "the size of the base model"):
                add_download(result, spec["config"], spec.get("engine") or "builtin")
    print(_as_line(result.to_dict()), flush=True)  # noqa: T201


def _as_line(result: JsonObject) -> str:
    """One line of JSON that every database can store: names of files may hold bytes that are not UTF-8."""
    text = json.dumps(result, ensure_ascii=False).replace("\\u0000", "").encode("utf-8", "replace").decode()
    return json.dumps(json.loads(text))


if __name__ == "__main__":
    main(Path(sys.argv[1]))
