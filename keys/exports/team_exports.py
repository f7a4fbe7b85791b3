"""Team exports, as admins handle them: ask for one, look, cancel, try again, delete, download."""

from __future__ import annotations

from collections.abc import Iterator
from uuid import UUID

from django.conf import settings
from django.db import IntegrityError, transaction
from django.db.models import Q, QuerySet
from django.utils import timezone

from keys import throttles
from keys.actors import Actor
from keys.audit.record import record_action
from keys.audit.vocabulary import Action, Outcome
from keys.exports import prepared, team_parts
from keys.exports.delivery import Delivery, NoFile, is_recorded
from keys.exports.file_store import delete_or_leave, file_store
from keys.exports.team_archive import Archive
from keys.jobs.queues import wake
from keys.jobs.tasks import prepare_exports
from keys.models import PreparedExport, StoredToken, TeamExport, TeamExportPart

State, PartState = TeamExport.State, TeamExportPart.State
ENDED_EXPORTS_SHOWN = 10  # on the exports page


class NobodyConnected(Exception):
    """There is no active member with a stored token."""


class StillRunning(Exception):
    """It must be cancelled before it can be deleted."""


def shown() -> QuerySet[TeamExport]:
    """Those for the exports page: the ready and the running ones, and the newest others."""
    rows = TeamExport.objects.order_by("-created_at")
    lasting = Q(state__in=[State.RUNNING, State.READY])
    ended = rows.exclude(lasting)[:ENDED_EXPORTS_SHOWN]
    return rows.filter(lasting | Q(pk__in=ended.values("pk")))


def find(number: UUID) -> TeamExport | None:
    """The team export with this number, or None."""
    return TeamExport.objects.filter(number=number).first()


def running() -> TeamExport | None:
    """The team export that is running now, or None; there is one at most."""
    return TeamExport.objects.filter(state=State.RUNNING).first()


def start(actor: Actor) -> TeamExport:
    """Have the worker export all connected members; the running one, if there is one.

    Raises NobodyConnected or TooOften.
    """
    if row := running():
        return row
    throttles.check(actor, Action.TEAM_EXPORT_REQUESTED)
    tokens = StoredToken.objects.filter(member__is_active=True).select_related("member")
    members = [stored.member for stored in tokens.order_by("member__username")]
    if not members:
        raise NobodyConnected
    try:
        with transaction.atomic():
            row = TeamExport.objects.create(
                requested_by=actor.known_member,
                requested_by_name=actor.known_member.get_username(),
                node=settings.ESTUARY_API_URL.netloc[:253],
            )
            TeamExportPart.objects.bulk_create(
                TeamExportPart(team_export=row, member=member, member_name=member.get_username())
                for member in members
            )
            _record(actor, row, Action.TEAM_EXPORT_REQUESTED, Outcome.STARTED, members=len(members))
    except IntegrityError:  # another admin was quicker
        return TeamExport.objects.get(state=State.RUNNING)
    _go_on(row)
    return row


def cancel(actor: Actor, row: TeamExport) -> bool:
    """Cancel it and delete what is there already; False when it has ended."""
    with transaction.atomic():
        rows = TeamExport.objects.filter(pk=row.pk, state=State.RUNNING)
        if not rows.update(state=State.CANCELLED, ended_at=timezone.now()):
            return False
        row.parts.filter(state__in=team_parts.OPEN).update(
            state=PartState.FAILED, reason="cancelled", sentence="It was cancelled."
        )
        _record(actor, row, Action.TEAM_EXPORT_CANCELLED)
    for export in _exports_of(row).filter(state__in=PreparedExport.UNFINISHED):
        prepared.cancel(actor, export)
    _delete_files(row)
    return True


def try_again(actor: Actor, row: TeamExport) -> bool:
    """Export the members who failed once more; those who are ready stay. False when none failed.

    Raises TooOften.
    """
    throttles.check(actor, Action.TEAM_EXPORT_REQUESTED)
    try:
        with transaction.atomic():
            rows = TeamExport.objects.filter(pk=row.pk, state__in=[State.READY, State.FAILED])
            failed = row.parts.filter(state=PartState.FAILED)
            count = failed.count()
            if not count or not rows.update(state=State.RUNNING, ended_at=None, expires_at=None):
                return False
            failed.update(state=PartState.PENDING, export=None, reason="", sentence="")
            _record(actor, row, Action.TEAM_EXPORT_REQUESTED, Outcome.STARTED, members=count)
    except IntegrityError:  # another team export is running
        return False
    _go_on(row)
    return True


def delete(actor: Actor, row: TeamExport) -> None:
    """Delete the files, then the rows; raises StillRunning."""
    if not row.is_final:
        raise StillRunning
    _delete_files(row)
    with transaction.atomic():
        if TeamExport.objects.filter(pk=row.pk).exclude(state=State.RUNNING).delete()[0]:
            _record(actor, row, Action.TEAM_EXPORT_DELETED)


def archive_of(row: TeamExport) -> Archive:
    """The archive of a team export; raises NoFile when there is none."""
    if row.state != State.READY or (row.expires_at and row.expires_at <= timezone.now()):
        raise NoFile
    parts = row.parts.select_related("export", "export__member").order_by("pk")
    return Archive(row, list(parts))


def version_of(row: TeamExport) -> str:
    """Of the archive; "" when there is none."""
    try:
        return archive_of(row).version
    except NoFile:
        return ""


def deliver(actor: Actor, row: TeamExport, archive: Archive, start: int, end: int) -> Delivery:
    """The archive or a part of it, and the record that its download begins.

    The files are checked before the first byte goes out, while an error can still be a page.
    Raises NoFile, StorageAway or SealBroken.
    """
    if not start:
        archive.confirm_files()
    detail: dict[str, str | int] = {"team_export": str(row.number)}
    if not start or not is_recorded(actor, Action.TEAM_EXPORT_DOWNLOADED, detail):
        _record_download(actor, row, archive)
    pieces: Iterator[bytes] = archive.pieces(start, end)
    return Delivery(pieces, pieces)  # type: ignore[arg-type] # a generator has `close`


def _record_download(actor: Actor, row: TeamExport, archive: Archive) -> None:
    detail = {"team_export": str(row.number), "form": "zip"}
    with transaction.atomic():
        _record(actor, row, Action.TEAM_EXPORT_DOWNLOADED, Outcome.STARTED)
        for member in archive.members():
            record_action(
                actor,
                Action.EXPORT_DOWNLOADED,
                Outcome.STARTED,
                on_behalf_of=member if member != actor.member else None,
                detail=detail,
            )


def _go_on(row: TeamExport) -> None:
    team_parts.advance(row.pk)
    wake(prepare_exports)


def _exports_of(row: TeamExport) -> QuerySet[PreparedExport]:
    return PreparedExport.objects.filter(team_export=row)


def _delete_files(row: TeamExport) -> None:
    store = file_store()
    for export in (
        _exports_of(row).exclude(file_name="").exclude(state__in=PreparedExport.UNFINISHED)
    ):
        delete_or_leave(store, export.file_name)
    _exports_of(row).filter(state=PreparedExport.State.READY).update(
        state=PreparedExport.State.EXPIRED, due_at=None, file_key=""
    )


def _record(
    actor: Actor,
    row: TeamExport,
    action: Action,
    outcome: Outcome = Outcome.DONE,
    **facts: str | int,
) -> None:
    record_action(actor, action, outcome, detail={"team_export": str(row.number)} | facts)
