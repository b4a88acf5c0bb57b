"""A config as text: its problems with their lines."""

from __future__ import annotations

import json
import re
from dataclasses import dataclass

from django.utils.translation import gettext as _

from engine.interface.json_types import JsonObject
from engine.tokens import without_secrets
from presets.config import configs
from presets.config.intake import TakenIn, as_sentence, take_in
from presets.editor.page import Editor
from presets.foreign.recognizing import is_foreign
from presets.foreign.text_forms import read_text
from web.errors import BadInput
from web.strict_json import parse

TOKEN = re.compile(r'"(?:[^"\\]|\\.)*"|[{}\[\],:]|[^\s{}\[\],:"]+')


@dataclass(frozen=True)
class TextProblem:
    line: int
    field: str
    message: str
    severity: str  # error, warning or note

    @property
    def is_error(self) -> bool:
        return self.severity == "error"


def as_text(config: JsonObject) -> str:
    return json.dumps(without_secrets(config), indent=2, ensure_ascii=False)


def read_with_notes(text: str) -> TakenIn:
    """The config in the text, with a note for each change. Text of another trainer may be TOML or YAML."""
    try:
        return _of_another_trainer(text) or take_in(_parsed(text))
    except RecursionError as error:
        raise BadInput(_("This is nested too deeply to be a config.")) from error


def _of_another_trainer(text: str) -> TakenIn | None:
    try:
        content = read_text(text)
    except ValueError:
        return None  # the reading as JSON says in which line
    return take_in(content) if is_foreign(content) else None


def _parsed(text: str) -> JsonObject:
    try:
        config = parse(text)
    except json.JSONDecodeError as error:
        sentence = _("Line %(lineno)s is not valid JSON (%(msg)s): correct it.") % {
            "lineno": error.lineno,
            "msg": error.msg,
        }
        raise BadInput(sentence, {"json": [sentence]}) from error
    except ValueError as error:
        raise BadInput(_("This is not valid JSON (%(error)s): correct it.") % {"error": error}) from error
    if not isinstance(config, dict):
        raise BadInput(_("A config is a JSON object: start with { and end with }."))
    return config


def problems_of(text: str, editor: Editor) -> list[TextProblem]:
    """All problems in the text, by line; unknown fields are noted, and kept."""
    try:
        taken = read_with_notes(text)
    except BadInput as error:
        cause = error.__cause__
        line = cause.lineno if isinstance(cause, json.JSONDecodeError) else 1
        return [TextProblem(line, "", str(error), "error")]
    config = taken.config
    lines = {"": 1} if taken.tool else lines_by_path(text)
    problems = [
        TextProblem(_line(lines, problem.field), problem.field, problem.message, problem.severity)
        for problem in configs.check_edited(config, editor.draft.engine, bool(editor.draft.preset_id))
    ]
    for note in taken.notes:
        message = note.message if note.field else as_sentence(note)
        problems.append(TextProblem(_line(lines, note.field), note.field, message, note.severity))
    problems += [
        TextProblem(lines[path], path, _("This field is unknown: it is kept, but the trainer ignores it."), "note")
        for path, _value in configs.leaves(without_secrets(config))
        if path in lines and path and editor.form.nearest(path) is None
    ]
    if "secrets" in config and "secrets" in lines:
        problems.append(
            TextProblem(
                lines["secrets"], "secrets", _("Tokens are not saved in a config: this is left out."), "warning"
            )
        )
    return sorted(problems, key=lambda one: (one.severity != "error", one.line))


def _line(lines: dict[str, int], path: str) -> int:
    """The line of the field, or of the nearest object around it."""
    while path and path not in lines:
        path = path.rpartition(".")[0]
    return lines[path]


def lines_by_path(text: str) -> dict[str, int]:
    """For each field of valid JSON, the line in which it begins, counted from 1."""
    lines, stack, key, line, seen = {"": 1}, [("", -1)], "", 1, 0
    before = ""
    for match in TOKEN.finditer(text):
        token = match.group()
        line += text.count("\n", seen, match.start())
        seen = match.start()
        path, index = stack[-1]
        if token in "}]":
            stack.pop()
        elif token == ",":
            stack[-1] = (path, index + 1 if index >= 0 else -1)
        elif token[0] == '"' and index == -1 and before in ("{", ",") and len(stack) > 1:
            key = json.loads(token)
            lines[_below(path, key)] = line
        elif token != ":":
            own = key if index == -1 else str(index)
            here = _below(path, own) if len(stack) > 1 else ""
            lines.setdefault(here, line)
            if token in "{[":
                stack.append((here, -1 if token == "{" else 0))
        before = token
    return lines


def _below(path: str, name: str) -> str:
    return f"{path}.{name}" if path else name
