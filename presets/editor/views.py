"""The requests of the editor's scripts, and the editor of a preset."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from django.contrib import messages
from django.http import HttpRequest, HttpResponse, JsonResponse
from django.shortcuts import get_object_or_404, redirect, render
from django.template.loader import render_to_string
from django.urls import reverse
from django.utils.http import urlencode
from django.utils.translation import gettext as _
from rest_framework.exceptions import APIException

from engine import engines
from presets.config import configs
from presets.editor import drafts, json_text
from presets.editor import list_verbs as lists
from presets.editor.editing import MOST_OWN, VERBS, Unsaved, reset, take_changes, take_form
from presets.editor.lists import PagePart, paths_of_items
from presets.editor.page import Editor
from presets.editor.search import search
from presets.library.verbs import change_preset
from presets.models import Draft, Preset
from web.api.exceptions import RETRY_SECONDS
from web.api.parsers import StrictJSONParser
from web.errors import BadInput, DomainError, NotNow, StaleDraft
from web.pages import Context, PageRequest, page, trainers

PARTS = ("tabs", "history", "status", "problems")


# -- requests of the page's scripts ------------------------------------------------------------------------------------


def _message(request: HttpRequest) -> Context:
    try:
        message = StrictJSONParser().parse(request)
    except APIException as error:
        raise BadInput(str(error.detail)) from error
    if not isinstance(message, dict):
        raise BadInput(_("Send one JSON object."))
    return message


def _draft(request: PageRequest, pk: int) -> Draft:
    return get_object_or_404(Draft.objects.select_related("preset"), pk=pk, user=request.user)


@page("POST", only=trainers)
def edit(request: PageRequest, pk: int) -> HttpResponse:
    """Apply changes and respond with the parts of the page that differ now.

    `tab` is the open tab and `seen` the state of each field that it shows; without it the whole tab is sent.
    """
    draft = _draft(request, pk)
    try:
        message = _message(request)
        draft, opened = _taken(draft, message)
        editor = Editor(draft, str(message.get("tab", "")), opened=opened)
    except DomainError as problem:
        status = 409 if isinstance(problem, StaleDraft) else 400
        newest = Draft.objects.filter(pk=pk).values_list("revision", flat=True).first()
        return JsonResponse({"detail": str(problem), "revision": newest}, status=status)
    return JsonResponse(_difference(request, editor, message))


def _taken(draft: Draft, message: Context) -> tuple[Draft, set[str]]:
    """Apply the request; retry a page's last changes if they met an earlier request of the same page."""
    rounds = MOST_OWN + 1 if "own" in message else 1
    return drafts.retry(draft, lambda one: (one, take_changes(one, message)), rounds)


def _difference(request: PageRequest, editor: Editor, message: Context) -> Context:
    context = page_context(request, editor)
    parts = {f"editor-{name}": _render(request, name, context) for name in PARTS}
    draft = editor.draft
    beside = {"facts": _facts(draft), "start": draft.start, "engine": draft.engine}
    answer = {"revision": draft.revision, "tab": editor.tab.id, "parts": parts, "fields": {}, **beside}
    seen = message.get("seen")
    if not isinstance(seen, dict):
        parts["editor-tab"] = _render(request, "tab", context)
    else:
        changed = [part for part in editor.parts if seen.get(part.path) != part.state]
        answer["fields"] = {part.path: _render(request, part.template, part.context) for part in _outermost(changed)}
    if message.get("json"):
        answer["json"] = json_text.as_text(editor.draft.config)
    return answer


def _outermost(parts: list[PagePart]) -> Iterator[PagePart]:
    """The parts without those that are within another part anyway."""
    whole: list[str] = []
    for part in parts:
        if not part.path.startswith(tuple(f"{path.removesuffix(':body')}." for path in whole)):
            yield part
        if part.template in ("list", "list_body"):
            whole.append(part.path)


def _facts(draft: Draft) -> dict[str, str]:
    """The draft's facts, such as name and notes; a preset's own facts if the draft has not changed them."""
    own = {"name": draft.preset.name, "description": draft.preset.description} if draft.preset else {}
    return {name: draft.facts.get(name, own.get(name, "")) for name in drafts.FACTS}


def _render(request: HttpRequest, name: str, context: Context) -> str:
    return render_to_string(f"presets/editor/_{name}.html", context, request).strip()


@page("GET")
def revision(request: PageRequest, pk: int) -> HttpResponse:
    """The draft's current revision, for a window that becomes visible again."""
    return JsonResponse({"revision": _draft(request, pk).revision})


@page("GET")
def find(request: PageRequest, pk: int) -> HttpResponse:
    """The fields that match the search, as options that the search box's script chooses from."""
    try:
        editor = Editor(_draft(request, pk))
    except BadInput as problem:
        return JsonResponse({"detail": str(problem)}, status=400)
    text = request.GET.get("q", "")[:200]
    address = _address_of(editor.draft)
    context = {"found": search(editor, text), "text": text, "page_address": address, "by_script": True}
    return render(request, "presets/editor/_found.html", context)


@page("POST", only=trainers)
def edit_json(request: PageRequest, pk: int) -> HttpResponse:
    """Check the config's text; with `apply`, make it the draft's config, as one step that can be undone."""
    draft = _draft(request, pk)
    if refusal := without_engine(request, draft):
        return refusal
    text = request.POST.get("text", "")
    if request.POST.get("do") != "apply":
        problems = json_text.problems_of(text, Editor(draft))
        return render(request, "presets/editor/_json_problems.html", {"problems": problems})
    try:
        known = int(request.POST.get("revision", "-1"))
        taken = json_text.read_with_notes(text)
        drafts.replace_config(draft, known, taken.config, _("Edit the JSON"))
    except (DomainError, ValueError) as problem:
        status = 409 if isinstance(problem, StaleDraft) else 400
        return _json_refused(request, draft, text, str(problem), status)
    if request.headers.get("X-Requested-With") == "editor":
        return JsonResponse({"revision": draft.revision, "notes": taken.sentences})
    messages.success(request, _("The JSON was applied; undo restores the previous config."))
    for note in taken.sentences:
        messages.warning(request, note)
    return redirect(f"{_address_of(draft)}?json=1")


def _json_refused(request: PageRequest, draft: Draft, text: str, sentence: str, status: int) -> HttpResponse:
    if request.headers.get("X-Requested-With") == "editor":
        return JsonResponse({"detail": sentence}, status=status)
    editor = Editor(draft)
    context = {"text": text, "problems": json_text.problems_of(text, editor), "sentence": sentence}
    page = page_context(request, editor) | {"json": context}
    return render(request, "presets/editor/json.html", page, status=status)


def _address_of(draft: Draft) -> str:
    return reverse("preset-edit", args=[draft.preset_id]) if draft.preset_id else reverse("new-run")


# -- pages -------------------------------------------------------------------------------------------------------------


def without_engine(request: PageRequest, draft: Draft) -> HttpResponse | None:
    """The page for a trainer that is not available: the reason and a choice of another; None if it is available."""
    configs.give_time(draft.engine)  # right after the site's start: the page comes late, in place of a refusal
    is_being_read = draft.engine in engines.ENGINES and engines.get_engine(draft.engine).is_being_read
    known = {one.name: one for one in engines.available()}
    mine = known.get(draft.engine)
    if mine is not None and not mine.why_not:
        return None
    others = [one for one in known.values() if not one.why_not]
    if request.method == "POST" and request.POST.get("engine") in {one.name for one in others}:
        drafts.retry(draft, lambda one: drafts.choose_engine(one, one.revision, request.POST["engine"]))
        return redirect(_address_of(draft))
    context = {
        "title": mine.title if mine else draft.engine,
        "why": mine.why_not if mine else _("It is not set up on this site."),
        "others": others,
        "page_address": _address_of(draft),
        "is_being_read": is_being_read,  # which is no failure to a person
    }
    answer = render(request, "presets/editor/no_engine.html", context, status=202 if is_being_read else 503)
    if is_being_read:
        answer.headers["Refresh"] = answer.headers["Retry-After"] = str(RETRY_SECONDS)  # the browser loads it again
    return answer


def page_context(request: PageRequest, editor: Editor) -> Context:
    """The context of every page with the editor, beside the fields."""
    json_open = request.GET.get("json") == "1"
    text = request.GET.get("q", "")[:200]
    return {
        "editor": editor,
        "draft": editor.draft,
        "preset": editor.draft.preset,
        "engines": engines.available(),
        "page_address": _address_of(editor.draft),
        "facts": _facts(editor.draft),
        "json": {"text": json_text.as_text(editor.draft.config)} if json_open else None,
        "found": search(editor, text) if text else None,
        "search_text": text,
    }


def take_post(request: PageRequest, draft: Draft) -> str:
    """Save the typed fields and carry out the editor's button; returns the button that is left to the caller.

    Raises Unsaved, and other domain errors.
    """
    take_form(draft, request.POST)
    for name, to_start in (("reset", False), ("reset-start", True)):
        if path := request.POST.get(name):
            reset(draft, draft.revision, path, to_start)
            return ""
    if command := request.POST.get("list"):
        lists.do(draft, draft.revision, command, request.POST.get(f"list:{command.partition(':')[0]}", ""))
        return ""
    verb = request.POST.get("do", "")
    if step := VERBS.get(verb):
        step(draft, draft.revision)
        return ""
    if verb == "engine":
        drafts.choose_engine(draft, draft.revision, request.POST.get("engine", ""))
        return ""
    return verb


def same_tab(request: PageRequest, draft: Draft) -> HttpResponse:
    tab = request.POST.get("to") or request.POST.get("tab", "")
    if not tab.replace("_", "").isalnum():
        return redirect(_address_of(draft))
    items = [("item", item) for item in sorted(opened_in(request))]
    return redirect(f"{_address_of(draft)}?{urlencode([('tab', tab), *items])}")


def opened_in(request: HttpRequest) -> set[str]:
    """The open items of lists, from the address or the form."""
    return paths_of_items((request.POST if request.method == "POST" else request.GET).getlist("item"))


@page("GET", "POST", only=trainers)
def edit_preset(request: PageRequest, pk: int) -> HttpResponse:
    """Edit a draft of the preset; saving adds it as the preset's next version."""
    preset = get_object_or_404(Preset, pk=pk)
    if preset.is_read_only:
        messages.error(request, _("“%(preset)s” is read-only: make a copy to change it.") % {"preset": preset.name})
        return redirect("preset", preset.pk)
    draft = _renewed(drafts.get_draft(request.user, preset), preset)
    if refusal := without_engine(request, draft):
        return refusal
    if request.method != "POST":
        return show_preset(request, draft)
    try:
        verb = take_post(request, draft)
        if verb == "save-version":
            return _save_version(request, draft, preset)
    except Unsaved as problem:
        return show_preset(request, draft, 409, unsaved=problem.typed)
    except DomainError as problem:
        messages.error(request, str(problem))
        return show_preset(request, draft, 409 if isinstance(problem, NotNow) else 400, refused=True)
    if verb == "discard":
        drafts.discard(draft)
        messages.success(request, _("Your changes to “%(preset)s” were discarded.") % {"preset": preset.name})
        return redirect("preset", preset.pk)
    return same_tab(request, draft)


def _renewed(draft: Draft, preset: Preset) -> Draft:
    """An unchanged draft follows the preset's newest version."""
    if draft.revision == 0 and draft.facts.get("base", {}).get("version") != preset.version:
        drafts.discard(draft)
        return drafts.get_draft(draft.user, preset)
    return draft


def show_preset(request: PageRequest, draft: Draft, status: int = 200, **more: Any) -> HttpResponse:
    tab = request.POST.get("tab") or request.GET.get("tab")
    editor = Editor(draft, tab, opened=opened_in(request))
    newer = draft.preset is not None and (editor.start_version or 0) < draft.preset.version
    context = page_context(request, editor) | {"newer": newer} | more
    return render(request, "presets/editor/preset.html", context, status=status)


def _save_version(request: PageRequest, draft: Draft, preset: Preset) -> HttpResponse:
    facts = draft.facts
    changes: Context = {
        "name": facts.get("name", preset.name).strip(),
        "description": facts.get("description", preset.description),
        "note": facts.get("note", ""),
    }
    if draft.config != configs.difference(preset.config, configs.defaults(draft.engine)):
        changes["config"] = draft.config
    saved = change_preset(preset, changes, by=request.user)
    drafts.discard(draft)
    messages.success(
        request,
        _("The preset “%(saved)s” was saved as version %(version)s.") % {"saved": saved.name, "version": saved.version},
    )
    return redirect("preset", saved.pk)
