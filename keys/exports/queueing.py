"""Puts an export into the worker's queue: for a member who asks now, or by a schedule."""

from __future__ import annotations

from django.conf import settings
from django.db import IntegrityError, transaction

from keys.actors import Actor
from keys.audit.record import record_action
from keys.audit.vocabulary import Action, Outcome
from keys.exports.file_store import file_store
from keys.exports.room import Room
from keys.models import PreparedExport, StoredToken, TeamExport


class AlreadyPreparing(Exception):
    """An export of this account is queued or running; `row` is None if it is another member's."""

    def __init__(self, row: PreparedExport | None) -> None:
        self.row = row
        super().__init__()


def queue_export(
    actor: Actor, stored: StoredToken, team_export: TeamExport | None = None
) -> PreparedExport:
    """A new export of an account; raises AlreadyPreparing or NoRoom.

    Admins have it prepared as a part of a team export.
    """
    Room(file_store(), stored.token_hash, is_team_part=team_export is not None)
    try:
        with transaction.atomic():
            row = PreparedExport.objects.create(
                member=stored.member,
                token_hash=stored.token_hash,
                node=settings.ESTUARY_API_URL.netloc[:253],
                team_export=team_export,
            )
            detail: dict[str, str | int] = {"export": str(row.number)}
            if team_export:
                detail["requested_by"] = team_export.requested_by_name
            record_action(actor, Action.EXPORT_PREPARE_REQUESTED, Outcome.STARTED, detail=detail)
    except IntegrityError:
        unfinished = PreparedExport.objects.filter(
            token_hash=stored.token_hash, state__in=PreparedExport.UNFINISHED
        )
        raise AlreadyPreparing(
            unfinished.filter(member=stored.member, team_export=None).first()
        ) from None
    return row
