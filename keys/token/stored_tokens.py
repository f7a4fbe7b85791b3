"""Connecting, using and disconnecting the token with which the console acts for a member."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Iterator
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from django.conf import settings
from django.contrib.auth.models import User
from django.db import transaction
from django.db.models import F, QuerySet
from django.db.models.functions import Now
from django.utils import timezone
from django.views.decorators.debug import sensitive_variables

from estuary_admin.secrets import sealing
from estuary_admin.storage.connections import release_connection, write_surely, write_with_retries
from estuary_admin.storage.prepared_queries import PreparedQuery
from keys import throttles
from keys.actors import Actor
from keys.audit.record import record_action
from keys.audit.vocabulary import Action, Outcome
from keys.exports.accounts import follow_token
from keys.models import KeyCreation, Rotation, StoredToken
from keys.notices.telling import tell
from keys.upstream import (
    CreatedKey,
    EstuaryClient,
    KeyList,
    KeySpec,
    Revoker,
    Stats,
    UpstreamError,
    fingerprint_of,
    hash_of,
)


class NotConnected(Exception):
    """The member has no stored token."""


class SentBefore(Exception):
    """The same form has connected the token before, and made a key to be used instead of it."""


_of_member = PreparedQuery(StoredToken.objects.filter(member=0))
_list_version = PreparedQuery(StoredToken.objects.filter(pk=0).values_list("list_version"))


def of_member(member: User) -> StoredToken:
    """A member's stored token; raises NotConnected."""
    stored = _of_member.first(member.pk)
    if stored is None:
        raise NotConnected
    stored.member = member
    return stored


class ConsoleClient(EstuaryClient):
    """Gives a pooled database connection back before each call, so that others can use it.

    Not for exports: each is opened in a thread of its own, which has no connection.
    """

    def list_keys(self) -> KeyList:
        release_connection()
        return super().list_keys()

    def create_key(self, spec: KeySpec) -> CreatedKey:
        release_connection()
        return super().create_key(spec)

    def revoke_key(
        self, token_hash: str, on_listed: Callable[[KeyList], None] | None = None
    ) -> bool:
        def listed(keys: KeyList) -> None:
            if on_listed:
                on_listed(keys)
                release_connection()

        release_connection()
        return super().revoke_key(token_hash, listed)

    def revoke_keys(
        self, token_hashes: Iterable[str]
    ) -> Iterator[tuple[str, bool | UpstreamError | None]]:
        release_connection()
        return super().revoke_keys(token_hashes)

    def open_revoker(self, token_hashes: Collection[str]) -> Revoker:
        release_connection()
        return super().open_revoker(token_hashes)

    def stats(self) -> Stats:
        release_connection()
        return super().stats()


def client_for(stored: StoredToken, actor: Actor, *, timeout: float | None = None) -> EstuaryClient:
    """A client that acts with a stored token: the only place where one is unsealed.

    Raises SealBroken when none of the sealing keys opens it. The client's calls together take
    `timeout` seconds at the most, ESTUARY_TIMEOUT by default: make one for each page.
    """
    token = sealing.unseal(stored.sealed, stored.member_id)
    return _client(token, actor, timeout or settings.ESTUARY_TIMEOUT)


@sensitive_variables("token")
def client_of_pasted(token: str, actor: Actor) -> EstuaryClient:
    """A client that acts with a token that the member has just pasted, which is not kept."""
    return _client(token, actor, settings.ESTUARY_TIMEOUT)


@sensitive_variables("token")
def connect_token(actor: Actor, token: str, nonce: str = "") -> StoredToken:
    """Check a token against Estuary, then seal it and replace the member's former one.

    Raises SentBefore when a form with that nonce has made a key of the console's own meanwhile.

    Estuary's `/user/stats` tells a working token (200) from an unknown or expired (401) and an
    upload-only one (403): Estuary `handlers.go`, 2023-05. Raises UpstreamError or
    TooOften: nothing is kept.
    """
    throttles.check(actor, Action.TOKEN_CONNECTED)
    member = actor.known_member
    try:
        _client(token, actor, settings.ESTUARY_TIMEOUT).stats()
    except UpstreamError as error:
        outcome, facts = _refused_or_failed(error), {"reason": error.code}
        write_surely(
            lambda: record_action(actor, Action.TOKEN_CONNECTED, outcome, detail=facts),
            "token_refusal_not_recorded",
        )
        raise
    token_hash, sealed = hash_of(token), sealing.seal(token, member.pk)
    return write_with_retries(lambda: _keep(actor, token_hash, sealed, nonce), "token_not_kept")


def made_own_key(actor: Actor, nonce: str) -> bool:
    """Whether a form with this nonce has asked for a key of the console's own."""
    return bool(nonce) and KeyCreation.objects.filter(nonce=nonce, member=actor.member).exists()


def _keep(actor: Actor, token_hash: str, sealed: str, nonce: str) -> StoredToken:
    with transaction.atomic():
        stored, _ = StoredToken.objects.update_or_create(
            member=actor.known_member,
            defaults={
                "sealed": sealed,
                "token_hash": token_hash,
                "connected_at": timezone.now(),
            },
        )
        # With the row locked: the other submit asks for a key before it exchanges the token.
        if made_own_key(actor, nonce):
            raise SentBefore
        forget_list(stored)
        record_action(actor, Action.TOKEN_CONNECTED, token_hash=token_hash)
        tell(actor, actor.known_member, "token.connected", fingerprint_of(token_hash))
        # Jobs that wait for a token of this member can run at once.
        waiting = Rotation.objects.exclude(need=Rotation.Need.NONE)
        waiting.filter(member=actor.member, state=Rotation.State.OVERLAP).update(due_at=Now())
    return stored


@sensitive_variables("token")
def sealed_candidate(member: User, token: str) -> str:
    """A token sealed so that `swap_token` can make it the member's stored token."""
    return sealing.seal(token, member.pk)


def prove_candidate(actor: Actor, member: User, sealed: str, timeout: float | None = None) -> None:
    """Ask Estuary whether a sealed token could be the stored one; raises UpstreamError."""
    token = sealing.unseal(sealed, member.pk)
    _client(token, actor, timeout or settings.ESTUARY_TIMEOUT).stats()


def swap_token(actor: Actor, old_hash: str, sealed: str, new_hash: str) -> bool:
    """Make another token of the same account the stored one, inside the caller's transaction.

    Compare and swap: when the member has just connected another token, that one stays and
    the result is False.
    """
    rows = StoredToken.objects.filter(member=actor.member, token_hash=old_hash)
    stored = rows.first()
    changes = {"sealed": sealed, "token_hash": new_hash, "connected_at": timezone.now()}
    if stored is None or not rows.update(**changes):
        return False
    forget_list(stored)
    follow_token(actor.known_member, old_hash, new_hash)
    record_action(actor, Action.TOKEN_RENEWED, token_hash=new_hash)
    return True


def disconnect_token(actor: Actor, stored: StoredToken) -> bool:
    """Delete a stored token here; at Estuary it stays valid.

    False when the member has replaced or disconnected it since; a newer token stays.
    """
    with transaction.atomic():
        count, _ = StoredToken.objects.filter(pk=stored.pk, token_hash=stored.token_hash).delete()
        if count:
            record_action(actor, Action.TOKEN_DISCONNECTED, token_hash=stored.token_hash)
    return bool(count)


@dataclass(frozen=True, slots=True)
class ConnectedMember:
    """A member with a stored token, for a list of choices."""

    id: int
    username: str
    connected_at: datetime


def connected_members(but: User) -> list[ConnectedMember]:
    """All members with a stored token except one, by name."""
    rows = StoredToken.objects.exclude(member=but).order_by("member__username")
    found = rows.values_list("member_id", "member__username", "connected_at")
    return [ConnectedMember(*row) for row in found]


def forget_list(stored: StoredToken) -> None:
    """Make every process ask Estuary again for this account's keys.

    Does nothing when the member has disconnected: then there is no list to forget.
    """
    StoredToken.objects.filter(pk=stored.pk).update(list_version=F("list_version") + 1)
    for (version,) in _list_version.rows(stored.pk):
        stored.list_version = version


def reseal_all() -> tuple[int, int]:
    """Move every stored token to the newest sealing key; returns (moved, unreadable)."""
    moved = unreadable = 0
    sealed_ones: list[tuple[QuerySet[Any], str]] = [
        (StoredToken.objects.all(), "sealed"),
        (Rotation.objects.exclude(sealed_candidate=""), "sealed_candidate"),
    ]
    for rows, field in sealed_ones:
        for number, member_id, sealed in rows.values_list("pk", "member_id", field):
            if sealing.is_newest(sealed):
                continue
            try:
                token = sealing.unseal(sealed, member_id)
            except sealing.SealBroken:
                unreadable += 1
                continue
            # Compare and swap: the member may be connecting another token right now.
            moved += rows.filter(**{"pk": number, field: sealed}).update(
                **{field: sealing.seal(token, member_id)}
            )
    return moved, unreadable


@sensitive_variables("token")
def _client(token: str, actor: Actor, timeout: float) -> EstuaryClient:
    return ConsoleClient(
        settings.ESTUARY_API_URL.geturl(),
        token,
        timeout,
        forwarded_for=actor.address if settings.ESTUARY_FORWARD_CLIENT_IP else "",
        proxy=settings.ESTUARY_HTTP_PROXY,
    )


def _refused_or_failed(error: UpstreamError) -> Outcome:
    return Outcome.REFUSED if error.is_about_token else Outcome.FAILED
