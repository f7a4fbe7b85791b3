"""Proves the identity in a request's headers: checks the proxy first, then reads the person."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from estuary_admin.secrets.shared_secrets import is_one_of
from estuary_admin.sso.assertion import identity_from_claims, token_in, verified_claims
from estuary_admin.sso.config import PROXY_SECRET_HEADER, AssertionRules, Config, Headers
from estuary_admin.sso.identity_values import (
    ProvedIdentity,
    checked,
    groups_in,
    header_of,
    is_ambiguous,
    or_empty,
    username_of,
)
from estuary_admin.sso.refusals import NotBelieved, Refused

Meta = Mapping[str, Any]


def prove(meta: Meta, sso: Config) -> ProvedIdentity:
    """Return the identity that a trusted proxy sent, or raise Refused.

    Reads no header before the sender's address is known to be a proxy's.
    """
    check_peer(meta, sso)
    check_secret(meta, sso)
    if sso.assertion:
        return identity_from_claims(claims_in(meta, sso.assertion), sso)
    if sso.headers:
        return identity_from_headers(meta, sso.headers, sso.source)
    raise Refused(NotBelieved.MISSING)


def check_peer(meta: Meta, sso: Config) -> None:
    if str(meta.get("REMOTE_ADDR", "")) not in sso.peers:
        raise Refused(NotBelieved.UNTRUSTED_PEER)


def check_secret(meta: Meta, sso: Config) -> None:
    """Tell the proxy from other programs at its address: only the proxy knows the secret."""
    given = header_of(meta, PROXY_SECRET_HEADER) or ""
    if sso.secrets and not is_one_of(given, sso.secrets):
        raise Refused(NotBelieved.WRONG_SECRET)


def identity_from_headers(meta: Meta, headers: Headers, source: str) -> ProvedIdentity:
    def text(header: str) -> str:
        return header_of(meta, header, is_rfc2047=headers.is_rfc2047) or ""

    name_sent = text(headers.user)
    username = username_of(name_sent)
    # The id is the value as sent. Normalised, two people's names could become one.
    stable_id = checked(text(headers.stable_id)) if headers.stable_id else name_sent
    if not username or not stable_id:
        raise Refused(NotBelieved.MISSING)
    if not headers.stable_id and is_ambiguous(name_sent):
        raise Refused(NotBelieved.AMBIGUOUS_NAME)
    return ProvedIdentity(
        source=source,
        stable_id=stable_id,
        username=username,
        name=or_empty(lambda: checked(text(headers.name), allow_commas=True)),  # “Doe, Jane”
        email=or_empty(lambda: checked(text(headers.email))),
        # Undecodable bytes are replaced: they spoil only their own group's name.
        groups=groups_in(header_of(meta, headers.groups, errors="replace"), headers.separator),
    )


def claims_in(meta: Meta, rules: AssertionRules) -> dict[str, Any]:
    text = header_of(meta, rules.header)
    if not text:
        raise Refused(NotBelieved.MISSING)
    return verified_claims(token_in(text), rules)
