"""`manage.py verify_audit`: whether the audit log is whole, and if not, the first broken link."""

from __future__ import annotations

from typing import Any

from django.core.management.base import BaseCommand, CommandError

from system.audit.models import AuditHead
from system.audit.verifying import verify


class Command(BaseCommand):
    help = "Verify the audit log's chain of hashes. Ends with status 1 and names the first broken link if it is broken."

    def handle(self, *args: object, **options: Any) -> None:
        verdict = verify()
        for note in verdict.notes:
            self.stdout.write(note)
        if verdict.broken:
            raise CommandError(verdict.broken)
        head = AuditHead.objects.first()
        cut = f", after {head.cut_number} that were cut off by AUDIT_DAYS" if head and head.cut_number else ""
        self.stdout.write(f"The audit log is whole: {verdict.count} entries{cut}.")
