"""Move all stored tokens and second factors to the newest sealing key."""

from __future__ import annotations

from typing import Any

from django.core.management.base import BaseCommand, CommandError
from django.template.defaultfilters import pluralize

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
        self._tell_moved(moved, "stored token{}")
        for count, things in (
            (factors_moved, "second factor{}"),
            (secrets_moved, "secret{} of reminders"),
            (files_moved, "key{} of prepared exports"),
        ):
            if count:
                self._tell_moved(count, things)
        for count, things, otherwise in (
            (files_unreadable, "prepared export{}", "have members delete {them}."),
            (
                secrets_unreadable,
                "secret{} of webhooks and feeds",
                "have members save {them} again.",
            ),
            (
                factors_unreadable,
                "second factor{}",
                "take {them} off with `manage.py members reset`.",
            ),
        ):
            if count:
                self.stderr.write(_unreadable(count, things, otherwise))
        if unreadable:
            otherwise = f"have {pluralize(unreadable, 'its member,their members')} connect again."
            raise CommandError(_unreadable(unreadable, "stored token{}", otherwise))
        if factors_unreadable or secrets_unreadable or files_unreadable:
            raise CommandError("Not everything was moved.")

    def _tell_moved(self, count: int, things: str) -> None:
        self.stdout.write(f"Moved {count} {things.format(pluralize(count))} to the newest key.")


def _unreadable(count: int, things: str, otherwise: str) -> str:
    them = pluralize(count, "it,them")
    return (
        f"{count} {things.format(pluralize(count))} cannot be opened with these "
        f"TOKEN_SEALING_KEYS. Add the key that sealed {them}, or {otherwise.format(them=them)}"
    )
