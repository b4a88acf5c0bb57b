"""From a choice to the items that would be deleted and those that stay, with reasons; and the token to confirm."""

from __future__ import annotations

import time
from collections.abc import Iterator
from dataclasses import asdict, dataclass, field
from datetime import timedelta
from typing import Any

from django.contrib.auth.models import User
from django.db.models import Exists, OuterRef, QuerySet
from django.utils.timezone import now
from django.utils.translation import gettext as _
from django.utils.translation import gettext_noop

from engine.interface.json_types import JsonObject
from operations.cleanup.inventory import KINDS, Thing
from samples import retention as pictures
from samples.models import Sample
from system.audit import record
from system.models import Job
from training.models import Artifact, RetentionPolicy, Run
from training.models.retention import KINDS as POLICIES
from training.models.retention import SITE
from training.runs import retention as keeping
from training.runs.removal import why_it_stays
from web.errors import BadInput, NotNow

MOST_ITEMS = 20_000
SAMPLES: dict[str, str] = {
    Sample.Kind.DEFAULT: gettext_noop("%(count)s samples of step %(step)s"),
    Sample.Kind.CUSTOM: gettext_noop("%(count)s custom samples of step %(step)s"),
}
VALID = timedelta(hours=1)  # how long a token is valid


@dataclass(frozen=True)
class CleanupChoice:
    """What to delete: these kinds, of one run or all, older than `days`; of backups, saves and samples those that the
    run's policy does not keep, or all but the newest `keep`."""

    kinds: tuple[str, ...]
    run: str = ""
    older_than: int = 0
    keep: int | None = None

    @property
    def before(self) -> float:
        """Seconds since 1970: only older items are deleted."""
        return time.time() - self.older_than * 86400


@dataclass
class PlanItem:
    """An item that is deleted, or stays for a reason; `ids` are those of its rows, if any."""

    kind: str
    label: str
    run: str
    run_name: str
    bytes: int
    why: str = ""
    ids: list[str] = field(default_factory=list)
    thing: JsonObject | None = None


@dataclass
class CleanupPlan:
    """The items that would be deleted and those that stay."""

    going: list[PlanItem] = field(default_factory=list)
    staying: list[PlanItem] = field(default_factory=list)

    @property
    def bytes(self) -> int:
        return sum(item.bytes for item in self.going)

    def add(self, item: PlanItem) -> None:
        (self.staying if item.why else self.going).append(item)


def make_plan(choice: CleanupChoice, user: User) -> CleanupPlan:
    """Plan from the rows and the newest inventory; users see only items that they may delete. Raises BadInput."""
    if not choice.kinds:
        raise BadInput(_("Choose at least one kind of items to delete."), {"kinds": [_("Choose at least one.")]})
    plan = CleanupPlan()
    for item in _items(choice, user):
        plan.add(item)
        if len(plan.going) > MOST_ITEMS:
            raise BadInput(
                _("These are more than %(most)s items: choose one run, or fewer kinds.") % {"most": MOST_ITEMS}
            )
    plan.going.sort(key=lambda item: -item.bytes)
    return plan


def _items(choice: CleanupChoice, user: User) -> Iterator[PlanItem]:
    runs = allowed_runs(user)
    if choice.run:
        runs = runs.filter(pk=choice.run)
    policies = {policy.scope: policy for policy in RetentionPolicy.objects.all()}
    has_files = Exists(Artifact.objects.filter(run=OuterRef("pk"), deleted_at=None))
    for run in runs.filter(has_files).order_by("created_at"):
        yield from _of_artifacts(run, choice, _policy(run, choice, policies))
    if "samples" in choice.kinds:
        for run in runs.filter(Exists(Sample.objects.filter(run=OuterRef("pk")))).order_by("created_at"):
            yield from _of_samples(run, choice, _policy(run, choice, policies))
    yield from _of_things(choice, user, runs)


def allowed_runs(user: User | None) -> QuerySet[Run]:
    """All runs for an admin, a trainer's own runs otherwise, none for a deleted user."""
    if user is None:
        return Run.objects.none()
    return Run.objects.all() if user.is_staff else Run.objects.filter(owner=user)


def _policy(run: Run, choice: CleanupChoice, policies: dict[str, RetentionPolicy]) -> RetentionPolicy:
    if choice.keep is None:
        return policies.get(str(run.pk)) or policies.get(SITE) or RetentionPolicy()
    return RetentionPolicy(**{f"keep_{kind}": choice.keep for kind in POLICIES})


def _of_artifacts(run: Run, choice: CleanupChoice, policy: RetentionPolicy) -> Iterator[PlanItem]:
    kinds = [keeping.KIND_OF[kind] for kind in ("backups", "saves") if kind in choice.kinds]
    found = keeping.verdicts(run, policy) if kinds else []
    if "models" in choice.kinds:
        found += _models(run, choice)
        kinds.append(Artifact.Kind.MODEL)
    for artifact, why in found:
        if artifact.kind in kinds:
            stays = why or _too_new(artifact.created_at.timestamp(), choice)
            yield PlanItem(f"{artifact.kind}s", str(artifact), *_of(run), artifact.size, stays, [str(artifact.pk)])


def _models(run: Run, choice: CleanupChoice) -> list[tuple[Artifact, str]]:
    """Final models that a later attempt replaced; the newest one always stays."""
    made = run.artifacts.filter(kind=Artifact.Kind.MODEL).select_related("run").order_by("attempt", "sequence")
    there = [artifact for artifact in made if artifact.exists]
    newest = _("It is the run's newest final model.")
    return [(artifact, why_it_stays(artifact) or newest * (artifact == there[-1])) for artifact in there]


def _of_samples(run: Run, choice: CleanupChoice, policy: RetentionPolicy) -> Iterator[PlanItem]:
    by_step: dict[tuple[int, str, str], list[Sample]] = {}
    for sample, why in pictures.verdicts(run, policy):
        stays = why or _too_new(sample.created_at.timestamp(), choice)
        by_step.setdefault((sample.global_step, sample.kind, stays), []).append(sample)
    for (step, kind, why), samples in by_step.items():
        label = _(SAMPLES[kind]) % {"count": len(samples), "step": step}
        size = sum(_size(sample) for sample in samples)
        yield PlanItem("samples", label, *_of(run), size, why, [str(sample.pk) for sample in samples])


def _size(sample: Sample) -> int:
    try:
        return sample.file.lstat().st_size
    except OSError:
        return 0


def _of_things(choice: CleanupChoice, user: User, runs: QuerySet[Run]) -> Iterator[PlanItem]:
    found = (newest_inventory() or {}).get("things", [])
    chosen = [thing for facts in found if (thing := Thing(**facts)).kind in choice.kinds]
    mine = {str(run.pk): run for run in runs.filter(pk__in={thing.run for thing in chosen if thing.run})}
    for thing in chosen:
        run = mine.get(thing.run)
        if run is not None or (not thing.run and user.is_staff and not choice.run):
            why = why_thing_stays(thing, run) or _too_new(thing.newest, choice)
            whose = _of(run) if run else ("", "")
            yield PlanItem(thing.kind, label_of(thing), *whose, thing.bytes, why, thing=asdict(thing))


def why_thing_stays(thing: Thing, run: Run | None) -> str:
    """Files that a training writes or reads stay."""
    if run is not None and (run.is_active or run.status == Run.Status.QUEUED):
        return _("The run has not ended.")
    if thing.label == "encoded" and Run.objects.filter(status__in=(Run.Status.QUEUED, *Run.ACTIVE)).exists():
        return _("Active or waiting runs may use it.")
    return ""


def label_of(thing: Thing) -> str:
    """In words."""
    if thing.kind == "caches":
        shared = {"encoded": _("Encoded pictures, shared by all runs"), "thumbnails": _("Thumbnails of data sets")}
        return shared.get(thing.label) or _("OneTrainer's cache")
    if thing.kind == "logs":
        return _("Logs of all attempts")
    if thing.kind == "orphans":
        return _("Folder %(name)s, whose run was deleted") % {"name": thing.label}
    return thing.label


def _of(run: Run) -> tuple[str, str]:
    return str(run.pk), run.name


def _too_new(modified: float, choice: CleanupChoice) -> str:
    if not choice.older_than or modified <= choice.before:
        return ""
    return _("It is not older than %(days)s days.") % {"days": choice.older_than}


# -- confirming -------------------------------------------------------------------------------------------------


def newest_inventory() -> JsonObject | None:
    done = Job.objects.filter(kind=Job.Kind.MEASURE, status=Job.Status.DONE).order_by("-ended_at").first()
    return done.result if done else None


def propose(choice: CleanupChoice, plan: CleanupPlan, user: User) -> Job:
    """Save the preview, so that a confirmation means exactly its items; the id is the token."""
    Job.objects.filter(kind=Job.Kind.CLEANUP, status=Job.Status.PLANNED, created_at__lt=now() - VALID).delete()
    items = [asdict(item) for item in plan.going]
    arguments = {"choice": asdict(choice), "items": items, "bytes": plan.bytes}
    return Job.objects.create(kind=Job.Kind.CLEANUP, status=Job.Status.PLANNED, arguments=arguments, user=user)


def confirm(token: Any, user: User) -> Job:
    """Confirm a preview for a worker; raises NotNow if it is too old, or confirmed already."""
    planned = Job.objects.filter(
        pk=token, kind=Job.Kind.CLEANUP, user=user, status=Job.Status.PLANNED, created_at__gte=now() - VALID
    )
    if not planned.update(status=Job.Status.WAITING, created_at=now()):
        raise NotNow(_("This preview is too old, or is being carried out already: make a new one."))
    job = Job.objects.get(pk=token)
    record("job.created", actor=user, thing=job, after={"kind": job.kind, "choice": job.arguments.get("choice")})
    return job


def kinds_for(user: User) -> tuple[str, ...]:
    return KINDS if user.is_staff else tuple(kind for kind in KINDS if kind != "orphans")
