"""Prove that no audit row was changed, removed, inserted or moved."""

from __future__ import annotations

from typing import Any

from django.core.management.base import BaseCommand, CommandError, CommandParser
from django.template.defaultfilters import pluralize

from keys.actors import Actor
from keys.audit import chain
from keys.audit.record import record_action
from keys.audit.vocabulary import Action


class Command(BaseCommand):
    help = "Check the chain of audit rows; exit 1 when it does not hold."

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("--head", default="", help="a head kept elsewhere, as 12:3fa…")
        parser.add_argument(
            "--adopt",
            action="store_true",
            help="first chain the rows that an older version wrote during an upgrade",
        )

    def handle(self, *_: Any, head: str, adopt: bool, **__: Any) -> None:
        if adopt and (count := chain.adopt()):
            record_action(Actor.for_job("verify"), Action.AUDIT_ADOPTED, detail={"entries": count})
            self.stdout.write(f"Chained {count} row{pluralize(count)} of an older version.")
        try:
            verdict = chain.verify(head)
        except ValueError as error:
            raise CommandError(str(error)) from None
        for found in verdict.breaks:
            self.stderr.write(found.sentence)
        if not verdict.holds:
            raise CommandError("The audit's chain does not hold.")
        if verdict.is_known_head_pruned:
            self.stdout.write("The known head has been pruned: nothing was compared with it.")
        rows = f"{verdict.rows} audit row{pluralize(verdict.rows)}"
        self.stdout.write(f"The chain of {rows} holds. Head: {verdict.head}")
