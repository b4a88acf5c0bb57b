"""The folder browser, a concept's preview and its thumbnails: pages, and the parts that scripts load."""

from __future__ import annotations

from typing import cast

from django.contrib import messages
from django.http import HttpResponse, QueryDict
from django.shortcuts import redirect
from django.urls import reverse
from django.utils.cache import get_conditional_response
from django.utils.http import urlencode

from presets.folders import browse, concept_preview, thumbnails
from web.errors import BadInput, DomainError, NotFound
from web.pages import Context, PageRequest, page, render_page, trainers


@page("GET", "POST", only=trainers)
def folders(request: PageRequest) -> HttpResponse:
    """A folder of the server, to choose a path in it; POST creates a folder in it."""
    sent = request.POST if request.method == "POST" else request.GET
    kind = sent.get("kind", "folder")
    path, words, suffixes = sent.get("path", ""), sent.get("q", "")[:200], sent.get("suffixes", "")[:200]
    query = {"kind": kind, **({"suffixes": suffixes} if suffixes else {})}
    if request.method == "POST":
        return _make(request, path, query)
    context: Context = {"kind": kind, "words": words, "suffixes": suffixes, "query": urlencode(query)}
    context["places"] = browse.places_for(kind)
    status = 200
    try:
        nearest = sent.get("nearest") == "1"
        context["listing"] = browse.list_folder(path, kind, suffixes.split(","), words, nearest)
    except DomainError as problem:
        status = _status(request, problem)
        context["sentence"] = str(problem)
    return render_page(request, "presets/folders/browse.html", "presets/folders/_browse.html", context, status)


def _status(request: PageRequest, problem: DomainError) -> int:
    """A part with an error sentence has status 200: else the browser's console reports an error."""
    return 200 if request.htmx else problem.status


def _make(request: PageRequest, path: str, query: dict[str, str]) -> HttpResponse:
    try:
        folder = browse.make_folder(path, request.POST.get("name", "").strip())
    except (BadInput, NotFound) as problem:
        if request.htmx:
            return HttpResponse(str(problem), status=400, content_type="text/plain; charset=utf-8")
        messages.error(request, str(problem))
        return redirect(f"{reverse('browse')}?{urlencode({**query, 'path': path})}")
    return redirect(f"{reverse('browse')}?{urlencode({**query, 'path': str(folder)})}")


@page("GET", only=trainers)
def concept(request: PageRequest) -> HttpResponse:
    """The preview of a concept's folder: counts, sizes, and its first pictures with their captions."""
    try:
        shown = concept_preview.preview(**preview_parameters(request.GET))
    except DomainError as problem:
        return _concept_page(request, {"sentence": str(problem)}, _status(request, problem))
    return _concept_page(request, {"shown": shown})


def _concept_page(request: PageRequest, context: Context, status: int = 200) -> HttpResponse:
    """With `brief`, one picture and the number of pictures, for a line of a list."""
    part = "presets/folders/_concept_brief.html" if request.GET.get("brief") == "1" else "presets/folders/_concept.html"
    return render_page(request, "presets/folders/concept.html", part, context, status)


def preview_parameters(query: QueryDict) -> Context:
    """The parameters of a preview in an address."""
    return {
        "path": query.get("path", ""),
        "subfolders": query.get("include_subdirectories", "").lower() in ("true", "1", "on"),
        "source": query.get("prompt_source") or "sample",
        "prompt_path": query.get("prompt_path", ""),
        "engine": query.get("engine", ""),
    }


@page("GET", only=trainers)
def picture(request: PageRequest) -> HttpResponse:
    """The thumbnail of a picture in the allowed folders, or the reason why there is none."""
    try:
        kept = thumbnails.thumbnail(request.GET.get("path", ""))
        content = kept.read_bytes()
    except (DomainError, FileNotFoundError) as problem:
        status = 400 if isinstance(problem, BadInput) else 404
        return HttpResponse(str(problem), status=status, content_type="text/plain; charset=utf-8")
    etag = f'"{kept.stem}"'
    headers = {"ETag": etag, "Cache-Control": "private, no-cache"}
    answer = HttpResponse(content, content_type="image/webp", headers=headers)
    return cast(HttpResponse, get_conditional_response(request, etag=etag, response=answer))
