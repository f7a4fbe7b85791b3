"""Finds the owner of a token by its hash, in Estuary's list and in this console's records."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import StrEnum

from django.contrib.auth.models import User
from django.db import transaction
from django.db.models import F, Q
from django.utils import timezone
from django.views.decorators.debug import sensitive_variables

from estuary_admin.secrets.sealing import SealBroken
from estuary_admin.storage.connections import write_surely
from keys import throttles
from keys.actors import Actor
from keys.api_keys import key_lists
from keys.api_keys.key_lists import Snapshot
from keys.api_keys.pasted import MAX_KEYS_PER_TEXT, PastedKeys
from keys.api_keys.rows import KeyRow, rows_of
from keys.audit.record import record_action
from keys.audit.vocabulary import Action
from keys.audit.vocabulary import Outcome as AuditOutcome
from keys.models import AuditEntry, KeyCreation, KeyNote, SeenKey, StoredToken
from keys.team.members import address_for
from keys.token.stored_tokens import client_of_pasted
from keys.token_hashes import begins_with
from keys.upstream import (
    NotPermitted,
    TokenExpired,
    TokenRejected,
    UploadOnlyToken,
    UpstreamError,
    fingerprint_of,
)
from keys.upstream.redaction import Secret

SEAL_BROKEN = "Your stored token cannot be opened, so your own list could not be read."


class Kind(StrEnum):
    """The relation of a found key to the member who asks."""

    MINE = "mine"
    FORMER = "former"  # recorded for this member only, and not in the member's list
    TEAM = "team"
    UNKNOWN = "unknown"


class Standing(StrEnum):
    """Estuary's answer to a token."""

    FULL = "full"
    UPLOAD = "upload"
    LIMITED = "limited"
    ENDED = "ended"
    UNKNOWN = "unknown"
    NOT_TOLD = "not-told"


STANDING_OF: tuple[tuple[type[UpstreamError], Standing], ...] = (
    (UploadOnlyToken, Standing.UPLOAD),
    (NotPermitted, Standing.LIMITED),
    (TokenExpired, Standing.ENDED),
    (TokenRejected, Standing.UNKNOWN),
)


@dataclass(frozen=True, slots=True)
class Clue:
    """One thing that this console knows of a key, and of whom."""

    token_hash: str
    member_id: int | None  # None: the member was deleted
    member: str
    words: str
    at: datetime | None = None
    is_current: bool = False  # the member has the key now


@dataclass(frozen=True, slots=True)
class Finding:
    """The facts about one key; `clues` holds only those that the member may read."""

    token_hash: str
    fingerprint: str
    kind: Kind
    row: KeyRow | None = None
    clues: tuple[Clue, ...] = ()

    @property
    def holders(self) -> dict[str, str]:
        """The members who have the key now, as far as known: name, and name in an address."""
        return {
            clue.member: address_for(clue.member_id, clue.member)
            for clue in self.clues
            if clue.is_current and clue.member_id
        }

    @property
    def owners(self) -> list[str]:
        """The names of all members that the clues mention, each once."""
        return list(dict.fromkeys(clue.member for clue in self.clues if clue.member))


@dataclass(frozen=True, slots=True)
class Search:
    """The findings about pasted keys, and how far the member's own list can be trusted."""

    findings: list[Finding]
    doubt: str = ""  # why the member's own list may be wrong
    clock_ahead: timedelta = timedelta()


def find_keys(
    actor: Actor, stored: StoredToken | None, pasted: PastedKeys, *, sees_all: bool
) -> Search:
    """Find whose the keys are, and record that somebody asked. Raises TooOften.

    `sees_all` is for admins: others learn that a key is someone's of the team, but not whose.
    """
    throttles.check(actor, Action.KEY_LOOKED_UP)
    listed, doubt = _own_list(actor, stored, pasted)
    hashes = pasted.hashes or tuple(_hashes_like(pasted.fingerprint, stored, listed))
    clues = [*_clues_of_records(hashes), *_clues_of_lists(hashes, stored)]
    own = [key for key in listed.keys if key.token_hash in hashes] if listed else []
    own_hash = stored.token_hash if stored else ""
    now = listed.node_now(timezone.now()) if listed else timezone.now()
    rows = {row.token_hash: row for row in rows_of(own, own_hash, now)}
    findings = [
        _finding(actor, token_hash, rows.get(token_hash), clues, sees_all=sees_all)
        for token_hash in hashes
    ] or [Finding("", pasted.fingerprint, Kind.UNKNOWN)]
    _record_all(actor, findings, sees_all=sees_all)
    return Search(findings, doubt, listed.clock_shift if listed else timedelta())


def _own_list(
    actor: Actor, stored: StoredToken | None, pasted: PastedKeys
) -> tuple[Snapshot | None, str]:
    """The member's list: only a fresh one can say that a key is not in it."""
    if stored is None:
        return None, ""
    recent = key_lists.recent_list(stored)
    if recent and pasted.hashes and all(map(recent.find, pasted.hashes)):
        return recent, ""
    try:
        listed = key_lists.current_list(stored, actor, reuse=False)
    except UpstreamError as error:
        return None, error.sentence
    except SealBroken:
        return None, SEAL_BROKEN
    return listed, listed.doubt_about("")


def _hashes_like(
    beginning: str, stored: StoredToken | None, listed: Snapshot | None
) -> Iterable[str]:
    """The hashes that begin like this, in the lists and records of everybody."""
    found = {key.token_hash for key in listed.keys} if listed else set()
    for model in (StoredToken, KeyCreation, KeyNote, SeenKey, AuditEntry):
        rows = model._default_manager.filter(begins_with(beginning))
        found.update(
            rows.order_by().values_list("token_hash", flat=True).distinct()[:MAX_KEYS_PER_TEXT]
        )
    for _, kept in key_lists.kept_lists_with(beginning, stored):
        found.update(key.token_hash for key in kept.keys)
    return sorted(one for one in found if one.startswith(beginning))[:MAX_KEYS_PER_TEXT]


def _clues_of_records(hashes: tuple[str, ...]) -> Iterator[Clue]:
    """What the records of this console say about these keys."""
    wanted = Q(token_hash__in=hashes)
    for stored_now in StoredToken.objects.filter(wanted).select_related("member"):
        name, at = stored_now.member.get_username(), stored_now.connected_at
        words = f"Connected to this console by {name}"
        yield Clue(stored_now.token_hash, stored_now.member_id, name, words, at, is_current=True)
    for made in KeyCreation.objects.filter(wanted).order_by("pk"):
        words = f"Created here by {made.member_name}"
        yield Clue(made.token_hash, made.member_id, made.member_name, words, made.requested_at)
    noted = KeyNote.objects.filter(wanted).exclude(members=None)
    for note in noted.values("token_hash", pk_=F("members"), name=F("members__username")):
        words = f"Noted here by {note['name']}"
        yield Clue(note["token_hash"], note["pk_"], note["name"], words)
    revoked = AuditEntry.objects.filter(
        wanted, action=Action.KEY_REVOKED, outcome=AuditOutcome.DONE
    )
    for entry in revoked.order_by("pk"):
        name = entry.on_behalf_of_name or entry.actor_name
        words = f"Revoked here by {entry.actor_name or entry.job}"
        whose = entry.on_behalf_of_id or entry.actor_id
        yield Clue(entry.token_hash, whose, name, words, entry.at)


def _clues_of_lists(hashes: tuple[str, ...], stored: StoredToken | None) -> Iterator[Clue]:
    """In whose list each key was, as the worker saw it or as the list is kept."""
    seen = SeenKey.objects.filter(token_hash__in=hashes).select_related("account")
    listed_by = {(row.token_hash, row.account.member_id): row for row in seen}
    for row in listed_by.values():
        words = f"Listed among the keys of {row.owner} when last read"
        member_id, as_of = row.account.member_id, row.account.as_of
        yield Clue(row.token_hash, member_id, row.owner, words, as_of, is_current=True)
    for token_hash in hashes:
        for other, kept in key_lists.kept_lists_with(token_hash, stored):
            name = other.member.get_username()
            words = f"Listed among the keys of {name} when last read"
            if kept.find(token_hash) and (token_hash, other.member_id) not in listed_by:
                at = kept.fetched_at
                yield Clue(token_hash, other.member_id, name, words, at, is_current=True)


def _finding(
    actor: Actor, token_hash: str, row: KeyRow | None, clues: list[Clue], *, sees_all: bool
) -> Finding:
    found = [clue for clue in clues if clue.token_hash == token_hash]
    own = [clue for clue in found if clue.member_id == actor.known_member.pk]
    others = [clue for clue in found if clue not in own]
    kind = _kind(row, own, others)
    readable = found if sees_all else own
    return Finding(token_hash, fingerprint_of(token_hash), kind, row, tuple(readable))


def _kind(row: KeyRow | None, own: list[Clue], others: list[Clue]) -> Kind:
    if row:
        return Kind.MINE
    if own and not any(clue.is_current for clue in others):
        return Kind.FORMER
    return Kind.TEAM if others else Kind.UNKNOWN


def _record_all(actor: Actor, findings: list[Finding], *, sees_all: bool) -> None:
    """One row for each key; only that of a member who may know it enters the key's history."""
    with transaction.atomic():
        for finding in findings:
            may_know = finding.kind is Kind.MINE or (sees_all and finding.kind is not Kind.UNKNOWN)
            record_action(
                actor,
                Action.KEY_LOOKED_UP,
                token_hash=finding.token_hash if may_know else "",
                detail={"result": finding.kind}
                | ({} if may_know else {"asked_for": finding.fingerprint[:8]}),
            )


@dataclass(frozen=True, slots=True)
class Tested:
    """Estuary's answer to a pasted token."""

    standing: Standing
    sentence: str = ""  # why it did not tell


@sensitive_variables("token")
def ask_estuary(actor: Actor, token_hash: str, token: Secret) -> Tested:
    """Ask Estuary, with the token itself, what it may do. Raises TooOften.

    Only when the member presses for it: Estuary sees the token, and some nodes write the token
    of a refused request to their log.
    """
    throttles.check(actor, Action.TOKEN_TESTED)
    tested = _tested(client_of_pasted(token.reveal(), actor).stats)
    facts = {"result": tested.standing.value, "asked_for": fingerprint_of(token_hash)}
    write_surely(
        lambda: record_action(actor, Action.TOKEN_TESTED, detail=facts), "token_test_not_recorded"
    )
    return tested


def _tested(ask: Callable[[], object]) -> Tested:
    try:
        ask()
    except UpstreamError as error:
        standings = (standing for kind, standing in STANDING_OF if isinstance(error, kind))
        standing = next(standings, Standing.NOT_TOLD)
        return Tested(standing, error.sentence if standing is Standing.NOT_TOLD else "")
    return Tested(Standing.FULL)


def stored_token_of(member: User) -> StoredToken | None:
    """The member's stored token; None without one, since finding a key needs no connection."""
    return StoredToken.objects.filter(member=member).select_related("member").first()
