"""Move all stored tokens and second factors to the newest sealing key."""

from __future__ import annotations

from typing import Any

from django.core.management.base import BaseCommand, CommandError

from estuary_admin.security.factors import reseal_factors
from keys.exports.prepared import reseal_file_keys
from keys.notices.secrets import reseal_secrets
from keys.token.stored_tokens import reseal_all


class Command(BaseCommand):
    help = "Seal every stored token and other secret again, under the first of TOKEN_SEALING_KEYS."

    def handle(self, *_: Any, **__: Any) -> None:
        moved, unreadable = reseal_all()
        factors_moved, factors_unreadable = reseal_factors()
        secrets_moved, secrets_unreadable = reseal_secrets()
        files_moved, files_unreadable = reseal_file_keys()
        self.stdout.write(f"Moved {moved} stored tokens to the newest key.")
        if factors_moved:
            self.stdout.write(f"Moved {factors_moved} second factors to the newest key.")
        if secrets_moved:
            self.stdout.write(f"Moved {secrets_moved} secrets of reminders to the newest key.")
        if files_moved:
            self.stdout.write(f"Moved {files_moved} keys of prepared exports to the newest key.")
        if files_unreadable:
            self.stderr.write(
                f"{files_unreadable} prepared exports cannot be opened with these "
                "TOKEN_SEALING_KEYS. Add the key that sealed them, or have members delete them."
            )
        if secrets_unreadable:
            self.stderr.write(
                f"{secrets_unreadable} secrets of webhooks and feeds cannot be opened with these "
                "TOKEN_SEALING_KEYS. Add the key that sealed them, or have members save them again."
            )
        if factors_unreadable:
            self.stderr.write(
                f"{factors_unreadable} second factors cannot be opened with these "
                "TOKEN_SEALING_KEYS. Add the key that sealed them, or take them off with "
                "`manage.py members reset`."
            )
        if unreadable:
            raise CommandError(
                f"{unreadable} stored tokens cannot be opened with these TOKEN_SEALING_KEYS. "
                "Add the key that sealed them, or have their members connect again."
            )
        if factors_unreadable or secrets_unreadable or files_unreadable:
            raise CommandError("Not everything was moved.")
