"""Copies the database while the console runs."""

from __future__ import annotations

from argparse import ArgumentParser
from typing import Any

from django.core.management.base import BaseCommand, CommandError

from estuary_admin.storage.backups import (
    BackupRefused,
    back_up,
    delete_old_backups,
    record_backup,
)


class Command(BaseCommand):
    help = "Copy the SQLite database into a new file, or into a folder under a dated name."
    requires_system_checks: list[str] = []  # a mistake in the settings must not stop backups

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("target", nargs="?", help="a new file, or a folder with a final slash")
        parser.add_argument(
            "--keep-days",
            type=int,
            metavar="N",
            help="then delete the dated copies in the folder that are older",
        )
        parser.add_argument(
            "--record",
            action="store_true",
            help="make no copy, only note that pg_dump has made one",
        )

    def handle(self, *_: Any, **options: Any) -> None:
        if options["record"] and options["target"]:
            raise CommandError(
                "--record makes no copy: leave the folder out, or leave --record out."
            )
        if options["record"]:
            record_backup()
            self.stdout.write("Noted that a backup was made.")
            return
        if not options["target"]:
            raise CommandError("Name a folder, such as backups/, or a new file.")
        if options["keep_days"] is not None and options["keep_days"] < 1:
            raise CommandError("--keep-days must be at least 1: with less it deletes the new copy.")
        try:
            made = back_up(options["target"])
        except BackupRefused as refused:
            raise CommandError(str(refused)) from None
        self.stdout.write(f"Wrote {made}. Keep it apart from SECRET_KEY and TOKEN_SEALING_KEYS.")
        if options["keep_days"] is not None:
            for path in delete_old_backups(made, options["keep_days"]):
                self.stdout.write(f"Deleted {path}.")
