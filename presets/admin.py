"""Presets in the admin: edit one as JSON, see what each version changed, export and import them as files."""

from __future__ import annotations

import json
from typing import Any, cast

from django import forms
from django.contrib import admin, messages
from django.contrib.auth.models import User
from django.core.exceptions import PermissionDenied, ValidationError
from django.db.models import Count, F, JSONField, OuterRef, QuerySet, Subquery
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.urls import URLPattern, path
from django.utils.safestring import SafeString
from django.utils.timezone import now
from django.utils.translation import gettext as _

from engine.interface.json_types import JsonObject
from presets.admin_changes import changes_table
from presets.config import configs
from presets.library import exchange
from presets.models import Preset, PresetVersion
from web import admin_parts, strict_json
from web.errors import BadInput
from web.limits.bodies import takes_body

VERSIONS_SHOWN = 50
MAX_FILE_BYTES = 5_000_000


class ConfigFormField(forms.JSONField):
    """A config as JSON text; its problems are reported by field."""

    widget = forms.Textarea(attrs={"rows": 24, "cols": 100, "class": "config-editor", "spellcheck": "false"})

    def prepare_value(self, value: object) -> Any:
        if isinstance(value, str):
            return value
        return json.dumps(value or {}, indent=2, ensure_ascii=False)

    def bound_data(self, data: Any, initial: Any) -> Any:
        """A wrong text is shown again exactly as it was typed."""
        return data

    def to_python(self, value: object) -> Any:
        try:
            return strict_json.parse(value or "{}") if isinstance(value, str) else value
        except ValueError as error:
            raise ValidationError(_("This is not valid JSON: %(error)s.") % {"error": error}) from error

    def validate(self, value: object) -> None:
        if problems := [problem for problem in configs.check_form(value) if problem.is_error]:
            raise ValidationError([_sentence(problem.field, problem.message) for problem in problems])


def _sentence(field: str, message: str) -> str:
    return f"{field}: {message}" if field else message


class PresetForm(forms.ModelForm):
    config = ConfigFormField(
        required=False, help_text="The fields that differ from the engine's defaults, with OneTrainer's names."
    )
    version_note = forms.CharField(
        max_length=500, required=False, help_text="Why the config changes; shown with the version."
    )
    seen_version = forms.IntegerField(widget=forms.HiddenInput, required=False)

    class Meta:
        model = Preset
        fields = ("name", "description", "config", "archived")
        widgets = {"description": forms.Textarea(attrs={"rows": 3, "cols": 100})}

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.fields["seen_version"].initial = self.instance.version

    def clean(self) -> JsonObject | None:
        """Refuse to overwrite a version that the editor has not seen."""
        cleaned = super().clean()
        seen = self.cleaned_data.get("seen_version")
        if "config" in self.changed_data and self.instance.pk and seen != self.instance.version:
            raise ValidationError(
                _(
                    "Version %(version)s was saved while you were editing: copy your changes, open the "
                    "page again and make them there."
                )
                % {"version": self.instance.version}
            )
        return cleaned


class FolderFilter(admin.SimpleListFilter):
    title = "folder"
    parameter_name = "folder"

    def lookups(self, request: HttpRequest, model_admin: admin.ModelAdmin) -> list[tuple[str, str]]:
        names = Preset.objects.filter(name__contains="/").values_list("name", flat=True)
        return [(folder, folder) for folder in sorted({name.partition("/")[0] for name in names})]

    def queryset(self, request: HttpRequest, queryset: QuerySet[Preset]) -> QuerySet[Preset]:
        return queryset.filter(name__startswith=f"{self.value()}/") if self.value() else queryset


class VersionInline(admin.TabularInline):
    model = PresetVersion
    fields = readonly_fields = ("number", "created_by", "created_at", "note", "changes")
    verbose_name_plural = "versions, newest first"
    can_delete = False
    extra = 0

    def get_queryset(self, request: HttpRequest) -> QuerySet[PresetVersion]:
        earlier = PresetVersion.objects.filter(preset=OuterRef("preset"), number__lt=OuterRef("number"))
        before = Subquery(earlier.order_by("-number").values("config")[:1], output_field=JSONField())
        newest = super().get_queryset(request).filter(number__gt=F("preset__version") - VERSIONS_SHOWN)
        return newest.select_related("created_by", "preset").annotate(config_before=before)

    def has_add_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return False

    def has_change_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return False

    def has_view_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        """Everyone who may view the preset may view its versions."""
        return True

    @admin.display(description="changes from the previous version")
    def changes(self, version: Any) -> SafeString:
        return changes_table(version.config_before or {}, version.config)


class ImportForm(forms.Form):
    """One file of presets; `cleaned_data["file"]` is the list of presets in it."""

    file = forms.FileField(help_text="An export of this site, or a OneTrainer config, which is named after its file.")

    def clean_file(self) -> list[exchange.UploadedPreset]:
        file = self.cleaned_data["file"]
        if file.size > MAX_FILE_BYTES:
            raise ValidationError(
                _("%(file)s is larger than %(max_file_bytes)s MB: this is not a preset.")
                % {"file": file.name, "max_file_bytes": MAX_FILE_BYTES // 1_000_000}
            )
        try:
            return exchange.from_file(file.name, file.read())
        except BadInput as refusal:
            raise ValidationError(str(refusal)) from refusal


@admin.register(Preset)
class PresetAdmin(admin.ModelAdmin):
    form = PresetForm
    fields = ("name", "description", "config", "version_note", "seen_version", "archived", "owner")
    readonly_fields = ("owner",)
    inlines = (VersionInline,)
    list_display = ("name", "folder_name", "version", "run_count", "owner", "updated_at", "archived_pill")
    list_filter = (FolderFilter, "archived", ("owner", admin.RelatedOnlyFieldListFilter))
    list_select_related = ("owner",)
    list_per_page = 50
    search_fields = ("name", "description", "config")
    search_help_text = "Search the name, the description and the config."
    actions = ("export", "archive", "restore")

    def get_queryset(self, request: HttpRequest) -> QuerySet[Preset]:
        return super().get_queryset(request).annotate(runs_made=Count("runs"))

    @admin.display(description="folder", ordering="name")
    def folder_name(self, preset: Preset) -> str:
        return preset.folder or admin_parts.NOTHING

    @admin.display(description="runs", ordering="runs_made")
    def run_count(self, preset: Any) -> int:
        return preset.runs_made

    @admin.display(description="archived", ordering="archived")
    def archived_pill(self, preset: Preset) -> SafeString | str:
        return admin_parts.pill("archived") if preset.archived else ""

    def save_model(self, request: HttpRequest, obj: Any, form: forms.ModelForm, change: bool) -> None:
        """Save a changed config as a new version; the other fields are saved directly."""
        if not change:
            obj.owner = request.user
        else:
            others = [name for name in ("name", "description", "archived") if name in form.changed_data]
            obj.save(update_fields=[*others, "updated_at"])
        if not change or "config" in form.changed_data:
            obj.save_version(obj.config, by=request.user, note=form.cleaned_data["version_note"])

    # -- files -------------------------------------------------------------------------------------------------

    def get_urls(self) -> list[URLPattern]:
        return [
            path("import/", self.admin_site.admin_view(self.import_view), name="presets_preset_import"),
            *super().get_urls(),
        ]

    def changelist_view(self, request: HttpRequest, extra_context: JsonObject | None = None) -> HttpResponse:
        return super().changelist_view(request, {**(extra_context or {}), "may_import": self.may_import(request)})

    def may_import(self, request: HttpRequest) -> bool:
        return self.has_add_permission(request) and self.has_change_permission(request)

    @takes_body("FILES_BODY_BYTES")
    def import_view(self, request: HttpRequest) -> HttpResponse:
        if not self.may_import(request):
            raise PermissionDenied
        form = ImportForm(request.POST or None, request.FILES or None)
        if request.method == "POST" and form.is_valid():
            saved = [exchange.save_imported(item, cast(User, request.user)) for item in form.cleaned_data["file"]]
            self.message_user(request, f"Imported: {', '.join(map(str, saved))}.", messages.SUCCESS)
            return redirect("admin:presets_preset_changelist")
        context = {**self.admin_site.each_context(request), "opts": self.opts, "title": "Import presets", "form": form}
        return render(request, "admin/presets/preset/import.html", context)

    @admin.action(description="Export", permissions=["view"])
    def export(self, request: HttpRequest, queryset: QuerySet[Preset]) -> HttpResponse:
        return admin_parts.download(exchange.to_file(queryset), f"presets-{now():%Y-%m-%d}.json")

    @admin.action(description="Archive: stop offering for new runs", permissions=["change"])
    def archive(self, request: HttpRequest, queryset: QuerySet[Preset]) -> None:
        self._set_archived(request, queryset, True, "Archived")

    @admin.action(description="Restore: offer again for new runs", permissions=["change"])
    def restore(self, request: HttpRequest, queryset: QuerySet[Preset]) -> None:
        self._set_archived(request, queryset, False, "Restored")

    def _set_archived(self, request: HttpRequest, presets: QuerySet[Preset], archived: bool, done: str) -> None:
        changed = presets.filter(archived=not archived)
        names = [preset.name for preset in changed]
        Preset.objects.filter(name__in=names).update(archived=archived)
        text = f"{done}: {', '.join(names)}." if names else _("No change: the presets have this state already.")
        self.message_user(request, text, messages.SUCCESS if names else messages.INFO)
