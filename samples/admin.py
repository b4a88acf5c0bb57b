"""Samples in the admin: a list of pictures."""

from __future__ import annotations

from django.contrib import admin
from django.template.loader import render_to_string
from django.utils.html import format_html
from django.utils.safestring import SafeString

from samples.models import Sample
from web.admin_parts import ReadOnlyAdmin, entries, link_to


@admin.register(Sample)
class SampleAdmin(ReadOnlyAdmin):
    fields = (
        "picture",
        "run_link",
        "prompt",
        "kind",
        "global_step",
        "epoch",
        "attempt",
        "is_ema",
        "created_at",
        "path",
        "settings_table",
    )
    readonly_fields = ("picture", "run_link", "settings_table")
    list_display = ("thumbnail", "prompt", "run_link", "global_step", "epoch", "kind", "ema", "created_at")
    list_display_links = ("thumbnail", "prompt")
    list_filter = (
        "kind",
        "is_ema",
        ("run__owner", admin.RelatedOnlyFieldListFilter),
        ("run__preset", admin.RelatedOnlyFieldListFilter),
        "created_at",
    )
    list_select_related = ("run",)
    search_fields = ("prompt", "run__name", "id")
    date_hierarchy = "created_at"
    ordering = ("-created_at", "-pk")

    @admin.display(description="picture")
    def thumbnail(self, sample: Sample) -> SafeString:
        return format_html('<img class="thumb" src="{}" alt="" loading="lazy">', sample.get_thumbnail_url())

    @admin.display(description="picture")
    def picture(self, sample: Sample) -> SafeString:
        return format_html(
            '<a href="{0}"><img class="picture" src="{0}" alt="{1}"></a>', sample.get_file_url(), sample.prompt
        )

    @admin.display(description="EMA", ordering="is_ema")
    def ema(self, sample: Sample) -> str:
        return "EMA" if sample.is_ema else ""

    @admin.display(description="run", ordering="run__name")
    def run_link(self, sample: Sample) -> SafeString | str:
        return link_to(sample.run)

    @admin.display(description="settings")
    def settings_table(self, sample: Sample) -> SafeString:
        return render_to_string("admin/_entries.html", {"entries": entries(sample.settings)})
