"""The wizard's pages: one question each, then a draft in the editor. The session keeps the answers."""

from __future__ import annotations

from pathlib import Path

from django.conf import settings
from django.http import Http404, HttpResponse
from django.shortcuts import redirect, render
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy, ngettext

from presets.config import configs
from presets.datasets.space import limits
from presets.editor import drafts
from presets.folders import concept_preview
from presets.models import DataSet, Draft
from presets.preflight import requests as preflight
from training.models import Run
from training.wizard.base_models import offered_models
from training.wizard.interview import NUMBERS, OTHER, STEPS, Interview, Step, device_key, offered_devices
from training.wizard.recipe import Recipe, make_recipe
from training.wizard.training_plan import KINDS, Answers
from training.wizard.words import CLASS_WORDS, caption_for, shown_minutes
from web.errors import BadInput, DomainError
from web.pages import Context, PageRequest, page, trainers

TYPED, NOTE = "wizard", "wizard_note"
LONGEST_TEXT = 4096


@page("GET", only=trainers)
def wizard(request: PageRequest) -> HttpResponse:
    """Redirect to the first question."""
    return redirect("wizard-step", STEPS[0].slug)


@page("GET", "POST", only=trainers)
def wizard_step(request: PageRequest, slug: str) -> HttpResponse:
    """Show or take one question; redirect to an earlier question that has no valid answer yet."""
    if slug not in NUMBERS:
        raise Http404(_("This question does not exist."))
    step = STEPS[NUMBERS[slug]]
    if request.method == "POST":
        return _take(request, step)
    interview = Interview(request.session.get(TYPED, {}))
    first = interview.first_open()
    if first is not None and NUMBERS[first.slug] < NUMBERS[slug]:
        return redirect("wizard-step", first.slug)
    return _show(request, interview, step)


def _take(request: PageRequest, step: Step) -> HttpResponse:
    """Save the typed answer, then go to the previous question, the next or the draft, or show the error."""
    answers = {field: request.POST.get(field, "")[:LONGEST_TEXT] for field in step.fields}
    if "caption" in answers and answers["caption"] == request.POST.get("offered_caption"):
        answers["caption"] = ""  # so that it follows a trigger word that is changed later
    typed = request.session.get(TYPED, {})
    data_set = request.POST.get("data_set", "")[:LONGEST_TEXT]
    if data_set and answers["folder"] in ("", typed.get("folder", "")):  # a folder typed just now is meant instead
        answers["folder"] = data_set
    typed = typed | answers
    request.session[TYPED] = typed
    number, interview = NUMBERS[step.slug], Interview(typed)
    if request.POST.get("do") == "back":
        return redirect("wizard-step", STEPS[max(0, number - 1)].slug)
    first = interview.first_open()
    if first is not None and NUMBERS[first.slug] < number:
        return redirect("wizard-step", first.slug)
    try:
        interview.answer(step)
        if step is STEPS[-1]:
            return _finish(request, make_recipe(interview.answers()), interview)
    except BadInput as problem:
        return _show(request, interview, step, problem.errors or {"": [str(problem)]})
    return redirect("wizard-step", STEPS[number + 1].slug)


def _finish(request: PageRequest, recipe: Recipe, interview: Interview) -> HttpResponse:
    """Load the recipe into the user's draft as one step for undo, and show it in the editor."""
    if recipe.caption:
        _write(Path(interview.answers().caption_file), recipe.caption)
    reasons = [*recipe.reasons, *_doubts(interview)]
    notes = "\n".join([_("From the wizard:"), *(f"- {reason}" for reason in reasons)])
    facts = {"name": recipe.name, "tags": "", "notes": notes}
    draft = drafts.retry(
        drafts.get_draft(request.user),
        lambda draft: drafts.load(
            *(draft, draft.revision, "wizard", "wizard's recipe", recipe.config), engine=recipe.engine, facts=facts
        ),
    )
    request.session[NOTE] = {
        "name": recipe.name,
        "reasons": reasons,
        "preflight": _check(request, draft),
        "revision": draft.revision,
        "plan": _plan(recipe, interview.answers()),
    }
    return redirect("wizard-review")


def _plan(recipe: Recipe, answers: Answers) -> list[list[str]]:
    """The facts of the review page, each with its title."""
    pictures = answers.pictures
    count = ngettext("%(count)s picture", "%(count)s pictures", pictures.count) % {"count": pictures.count}
    steps = _("%(steps)s steps at %(side)s pixels") % {"steps": f"{recipe.steps:,}", "side": recipe.resolution}
    return [
        [_("Pictures"), f"{count}, {pictures.folder}"],
        [_("Captions"), f"“{recipe.caption}”" if recipe.caption else _("their own")],
        [_("Trigger word"), answers.word],
        [_("Base model"), answers.base_model],
        [_("Training"), steps],
        [_("Time"), _("about %(time)s") % {"time": shown_minutes(recipe.seconds / 60)}],
        [_("Memory"), _("about %(memory)s GB") % {"memory": f"{recipe.memory:.1f}"}],
    ]


@page("GET", only=trainers)
def review(request: PageRequest) -> HttpResponse:
    """The plan, with one button that starts it; the editor is a link away."""
    note = request.session.get(NOTE)
    draft = Draft.objects.filter(user=request.user, preset=None).first()
    if not note or "plan" not in note or draft is None or draft.start != "wizard":
        return redirect("wizard")
    changed = draft.revision != note["revision"]
    return render(request, "training/wizard/review.html", {"note": note, "draft": draft, "changed": changed})


def _doubts(interview: Interview) -> list[str]:
    """What could not be known before the base model is fetched."""
    model = interview.model
    if not model.is_guessed:
        return []
    sentence = _("%(name)s is not on this machine yet: %(family)s is assumed, and the check says if it is another.")
    return [sentence % {"name": model.name, "family": model.family.title}]


def _check(request: PageRequest, draft: Draft) -> str | None:
    """Request a preflight from a worker, unless the quick check, which the editor shows, finds an error."""
    if any(problem.is_error for problem in configs.validate(draft.config, draft.engine)):
        return None
    return str(preflight.request(request.user, draft.config, draft.engine).pk)


def _write(path: Path, text: str) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(f"{text}\n", encoding="utf-8")


@page("POST", only=trainers)
def dismiss_note(request: PageRequest) -> HttpResponse:
    """Remove the reasons from the editor's page; they stay in the run's notes."""
    request.session.pop(NOTE, None)
    return HttpResponse() if request.htmx else redirect("new-run")


# -- the context of each question ------------------------------------------------------------------------------------


def _show(
    request: PageRequest, interview: Interview, step: Step, errors: dict[str, list[str]] | None = None
) -> HttpResponse:
    context = {
        "step": step,
        "steps": STEPS,
        "number": NUMBERS[step.slug] + 1,
        "typed": interview.typed,
        "errors": {field: sentences[0] for field, sentences in (errors or {}).items()},
        "part": f"training/wizard/_{step.slug}.html",
        **CONTEXTS[step.slug](interview),
    }
    return render(request, "training/wizard/wizard.html", context, status=400 if errors else 200)


def _pictures(interview: Interview) -> Context:
    recent = Run.objects.newest_first().values_list("config__concepts", flat=True)[:20]
    folders = [concepts[0].get("path") for concepts in recent if concepts]
    recent_folders = list(dict.fromkeys(folder for folder in folders if folder))[:5]
    return {
        "open_folder": settings.DATA_DIR / "datasets",
        "recent_folders": recent_folders,
        "data_sets": DataSet.objects.present(),
        "limits": limits(),
    }


def _subject(interview: Interview) -> Context:
    kinds = [(key, kind, KIND_ICONS[key], KIND_HELP[key], CLASS_WORDS[key]) for key, kind in KINDS.items()]
    pictures, typed = interview.pictures, interview.typed
    kind = typed.get("kind") if typed.get("kind") in KINDS else "person"
    word = typed.get("word") or interview.guessed_word()
    offered = caption_for(str(kind), word, typed.get("class_word") or CLASS_WORDS[str(kind)])
    context: Context = {"kinds": kinds, "kind": kind, "word": word, "pictures": pictures, "offered_caption": offered}
    try:
        return {**context, "shown": concept_preview.preview(pictures.folder, pictures.subfolders)}
    except DomainError as problem:  # the folder was removed after it was read
        return {**context, "sentence": str(problem)}


def _model(interview: Interview) -> Context:
    models = offered_models()
    chosen = interview.typed.get("model") or models[0].name
    listed = any(model.name == chosen for model in models)
    other = interview.typed.get("other_model") or ("" if listed or chosen == OTHER else chosen)
    return {"models": models, "chosen": chosen if listed else OTHER, "other_model": other}


def _memory(interview: Interview) -> Context:
    offered = [(device_key(device), device) for device in offered_devices()]
    keys = [key for key, _ in offered]
    chosen = interview.typed.get("device") or keys[0]
    return {"devices": offered, "chosen": chosen if chosen in (*keys, OTHER) else keys[0]}


def _time(interview: Interview) -> Context:
    times = [(key, title, icon, text, _time_of(interview, key)) for key, title, icon, text in TIMES]
    return {"times": times, "chosen": interview.typed.get("time") or "hour"}


def _time_of(interview: Interview, key: str) -> str:
    """How long a training in this time really takes, or why it is not possible."""
    try:
        recipe = make_recipe(interview.answers_in(key))
    except BadInput as problem:
        return str(problem)
    return _("Takes about %(time)s here.") % {"time": shown_minutes(recipe.seconds / 60)}


KIND_ICONS = {"person": "user", "animal": "paw", "style": "palette", "thing": "cube", "other": "dots"}
KIND_HELP = {
    "person": gettext_lazy("A face that the model should recognise."),
    "animal": gettext_lazy("Your dog, cat or horse, not just any."),
    "style": gettext_lazy("A way of drawing, painting or photographing."),
    "thing": gettext_lazy("An object, a building, a piece of clothing."),
    "other": gettext_lazy("A pose, a place, an effect."),
}
TIMES = (
    ("quick", gettext_lazy("As fast as possible"), "bolt", gettext_lazy("A first test, to see if it works.")),
    ("hour", gettext_lazy("One hour"), "coffee", gettext_lazy("Usually enough, on a GPU.")),
    ("night", gettext_lazy("Overnight"), "moon", gettext_lazy("Eight hours at most, less if more would not help.")),
)
CONTEXTS = {"pictures": _pictures, "subject": _subject, "model": _model, "memory": _memory, "time": _time}
