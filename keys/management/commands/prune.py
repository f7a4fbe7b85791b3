"""Delete what is too old: sessions, key lists, audit entries, leases of ended processes."""

from __future__ import annotations

from typing import Any

from django.conf import settings
from django.core.management.base import BaseCommand
from django.template.defaultfilters import pluralize

from keys.retention import prune_all


class Command(BaseCommand):
    help = (
        "Once a day: remove ended sessions, old messages and key lists, and audit entries older "
        "than AUDIT_DAYS."
    )

    def handle(self, *_: Any, **__: Any) -> None:
        removed = prune_all()
        if settings.AUDIT_DAYS:
            told = (
                f"Removed {removed} audit entr{pluralize(removed, 'y,ies')} older than "
                f"{settings.AUDIT_DAYS} day{pluralize(settings.AUDIT_DAYS)}."
            )
        else:
            told = "All audit entries are kept: AUDIT_DAYS is not set."
        self.stdout.write(f"Removed ended sessions. {told}")
