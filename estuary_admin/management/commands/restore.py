"""Put a copy of the database back."""

from __future__ import annotations

from argparse import ArgumentParser
from pathlib import Path
from typing import Any

from django.core.management.base import BaseCommand, CommandError

from estuary_admin.storage.backups import BackupRefused, restore


class Command(BaseCommand):
    help = "Put a copy made by `backup` in the database's place, while no server runs."
    requires_system_checks: list[str] = []  # the database they might ask is about to go

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("file", type=Path)

    def handle(self, *_: Any, file: Path, **__: Any) -> None:
        try:
            before = restore(file)
        except BackupRefused as refused:
            raise CommandError(str(refused)) from None
        self.stdout.write(
            f"Restored; everybody must sign in anew. The database from before is {before}. "
            "Run migrate, then start the server."
        )
