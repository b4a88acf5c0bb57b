"""A run's paths judged once more where it starts, and the answer that its engine process gets."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

from engine.interface.errors import BadConfig, Problem
from engine.interface.json_types import JsonObject
from engine.paths.permits import Permit, Permits
from engine.paths.policy import Judged, Purpose, Refused, Why
from presets.config.destinations import judge_destination, run_policy, taken
from presets.config.dotted import with_value
from presets.config.named_paths import NamedPath, Reads, named_paths
from web.paths import earlier_models
from web.paths.site import policy, sentence


@dataclass
class Admission:
    """Judges the paths of one run; `checked` says where they led when the run was created, by field."""

    reads: Reads
    folder: Path
    checked: Mapping[str, str] = field(default_factory=dict)
    attempt: int = 1
    is_check: bool = False  # no process will use the paths, so they need no permits

    def admit(self, config: JsonObject) -> tuple[JsonObject, Permits]:
        """The config with real paths, and a permit for each. Raises BadConfig with the fields of refused paths.

        A path that does not apply and is not allowed is left empty, so that no engine finds a use for it.
        """
        problems: list[Problem] = []
        permits: list[Permit] = []
        for named in named_paths(config, self.reads):
            if named.from_hub or (named.is_default and named.purpose is Purpose.WRITE_FOLDER and not named.applies):
                continue
            try:
                permit = self._permit(named)
            except Refused as refused:
                if named.applies and not named.is_default:
                    problems.append(Problem(named.field, sentence(refused)))
                config = with_value(config, named.field, "")
            else:
                permits.append(permit)
                config = with_value(config, named.field, permit.path)
        if problems:
            raise BadConfig(problems)
        return config, Permits(run_policy(self.folder, policy().whole), () if self.is_check else tuple(permits))

    def _permit(self, named: NamedPath) -> Permit:
        judged = self._judged(named)
        if self.checked.get(named.field, judged.real) != judged.real:
            raise Refused(Why.CHANGED, named.text)
        if self.is_check:
            return Permit(named.field, named.purpose.value, judged.real, judged.real, 0, 0)
        is_model = named.purpose is Purpose.WRITE_MODEL
        may_replace = is_model and self._may_replace(judged)
        try:
            return Permit.of(named.field, judged, may_replace, is_model and (may_replace or self.attempt > 1))
        except OSError as error:
            raise Refused(Why.CHANGED, named.text) from error

    def _judged(self, named: NamedPath) -> Judged:
        if named.is_written:
            return judge_destination(named.text, self.folder, named.purpose)
        return run_policy(self.folder).judge(named.absolute, named.purpose)

    def _may_replace(self, judged: Judged) -> bool:
        """Raises Refused if somebody else's file or folder is at the destination of a first attempt."""
        if earlier_models.has(Path(judged.real)):
            return True
        if self.attempt == 1 and taken(judged.real):
            raise Refused(Why.TAKEN, judged.real)
        return False
