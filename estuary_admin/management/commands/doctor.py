"""Checks the whole installation."""

from __future__ import annotations

from typing import Any

from django.core.management.base import BaseCommand, CommandError
from django.utils.module_loading import autodiscover_modules

from estuary_admin.observability import doctor_checks  # noqa: F401 - registers them
from estuary_admin.observability.doctor import examine


class Command(BaseCommand):
    help = "Check the whole installation; exits with 1 when something is broken."
    requires_system_checks: list[str] = []  # they are among the lines

    def handle(self, *_: Any, **__: Any) -> None:
        autodiscover_modules("doctor")
        broken = 0
        for title, check in examine():
            state = "ok" if check.ok else "warning" if check.is_warning else "BROKEN"
            broken += state == "BROKEN"
            self.stdout.write(f"{state:8}{title}: {check.line}")
            if check.fix and not check.ok:
                self.stdout.write(f"        Fix: {check.fix}")
        if broken:
            noun = "check has" if broken == 1 else "checks have"
            raise CommandError(f"{broken} {noun} failed.")
        self.stdout.write("Nothing is broken.")
