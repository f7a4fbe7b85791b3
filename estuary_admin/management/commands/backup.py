"""Copy the database while the console runs."""

from __future__ import annotations

from argparse import ArgumentParser
from pathlib import Path
from typing import Any

from django.core.management.base import BaseCommand, CommandError

from estuary_admin.storage.backups import BackupRefused, back_up


class Command(BaseCommand):
    help = "Copy the SQLite database into a new file, or into one named by the time in a folder."

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("file", type=Path)

    def handle(self, *_: Any, file: Path, **__: Any) -> None:
        try:
            made = back_up(file)
        except BackupRefused as refused:
            raise CommandError(str(refused)) from None
        self.stdout.write(f"Wrote {made}. Keep it apart from SECRET_KEY and TOKEN_SEALING_KEYS.")
