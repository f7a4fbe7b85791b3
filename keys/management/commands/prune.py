"""Throw away what is too old: sessions, lists, audit entries, what dead processes left."""

from __future__ import annotations

import logging
from typing import Any

from django.conf import settings
from django.core.management import call_command
from django.core.management.base import BaseCommand

from keys.audit import chain
from keys.retention import prune_audit, prune_leases, prune_lists

logger = logging.getLogger("estuary_admin.keys")


class Command(BaseCommand):
    help = (
        "Once a day: remove ended sessions, old key lists, and audit entries older than AUDIT_DAYS."
    )

    def handle(self, *_: Any, **__: Any) -> None:
        call_command("clearsessions")
        prune_leases()
        prune_lists()
        if settings.AUDIT_DAYS:
            told = f"Removed {prune_audit()} audit entries older than {settings.AUDIT_DAYS} days."
        else:
            told = "Audit entries are kept for ever: AUDIT_DAYS is not set."
        # Once a day in the log: a rewrite of the whole chain shows against it.
        logger.info("audit_head", extra={"head": chain.current_head()})
        self.stdout.write(f"Ended sessions are gone. {told}")
