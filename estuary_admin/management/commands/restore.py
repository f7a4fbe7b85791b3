"""Replaces the database with a backup."""

from __future__ import annotations

from argparse import ArgumentParser
from pathlib import Path
from typing import Any

from django.core.management.base import BaseCommand, CommandError

from estuary_admin.storage.backups import BackupRefused, restore


class Command(BaseCommand):
    help = "Replace the SQLite database with a copy made by `backup`, while no server runs."
    requires_system_checks: list[str] = []  # some read the database that is being replaced

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("file", type=Path)

    def handle(self, *_: Any, file: Path, **__: Any) -> None:
        try:
            before = restore(file)
        except BackupRefused as refused:
            raise CommandError(str(refused)) from None
        old = f" The old database is {before}." if before else ""
        self.stdout.write(
            f"Restored; everybody has to sign in again.{old} Run migrate, then start the server."
        )
