"""Move all stored tokens to the newest sealing key."""

from __future__ import annotations

from typing import Any

from django.core.management.base import BaseCommand, CommandError

from keys.services.stored_tokens import reseal_all


class Command(BaseCommand):
    help = "Seal every stored token anew under the first of TOKEN_SEALING_KEYS."

    def handle(self, *_: Any, **__: Any) -> None:
        moved, unreadable = reseal_all()
        self.stdout.write(f"Moved {moved} stored tokens to the newest key.")
        if unreadable:
            raise CommandError(
                f"{unreadable} stored tokens cannot be opened with these TOKEN_SEALING_KEYS. "
                "Add the key that sealed them, or have their members connect again."
            )
