"""From a request's headers to a proved identity; pure functions, in the order of trust."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from estuary_admin.secrets.shared_secrets import is_one_of
from estuary_admin.sso import assertion
from estuary_admin.sso.config import PROXY_SECRET_HEADER, Config, Headers, Signed
from estuary_admin.sso.header_values import checked, groups_in, header_of, name_of
from estuary_admin.sso.identity_errors import NotBelieved
from estuary_admin.sso.reasons import Refused

Meta = Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class Proved:
    """Who the source says this is. `groups` is None when it says nothing about groups."""

    source: str
    stable_id: str
    username: str
    name: str
    email: str
    groups: frozenset[str] | None
    at: datetime | None = None  # when the person proved it, if that is known


def prove(meta: Meta, sso: Config) -> Proved:
    """The identity that a trusted proxy brings, or Refused; no header is read before the peer."""
    check_peer(meta, sso)
    check_secret(meta, sso)
    if sso.signed:
        return from_claims(claims_in(meta, sso.signed), sso)
    if sso.headers:
        return from_headers(meta, sso.headers, sso.source)
    raise Refused(NotBelieved.MISSING)


def check_peer(meta: Meta, sso: Config) -> None:
    if str(meta.get("REMOTE_ADDR", "")) not in sso.peers:
        raise Refused(NotBelieved.UNTRUSTED_PEER)


def check_secret(meta: Meta, sso: Config) -> None:
    """The second lock: other programs may stand at the proxy's address, but do not know it."""
    given = header_of(meta, PROXY_SECRET_HEADER) or ""
    if sso.secrets and not is_one_of(given, sso.secrets):
        raise Refused(NotBelieved.WRONG_SECRET)


def from_headers(meta: Meta, headers: Headers, source: str) -> Proved:
    username = name_of(header_of(meta, headers.user) or "")
    stable_id = username
    if headers.stable_id:
        stable_id = checked(header_of(meta, headers.stable_id) or "")
    if not username or not stable_id:
        raise Refused(NotBelieved.MISSING)
    return Proved(
        source=source,
        stable_id=stable_id,
        username=username,
        name=checked(header_of(meta, headers.name) or "", commas=True),  # “Doe, Jane”
        email=checked(header_of(meta, headers.email) or ""),
        groups=groups_in(header_of(meta, headers.groups), headers.separator),
    )


def claims_in(meta: Meta, signed: Signed) -> dict[str, Any]:
    text = header_of(meta, signed.header)
    if not text:
        raise Refused(NotBelieved.MISSING)
    return assertion.verified(assertion.token_in(text), signed)


def from_claims(claims: Mapping[str, Any], sso: Config) -> Proved:
    assertion.refuse_programs(claims, sso.user_claim)
    username = name_of(claims.get(sso.user_claim, ""))
    if not username:
        raise Refused(NotBelieved.INCOMPLETE)
    if sso.user_claim == "email" and claims.get("email_verified") is False:
        raise Refused(NotBelieved.INCOMPLETE)
    return Proved(
        source=str(claims["iss"]),
        stable_id=checked(claims["sub"]),
        username=username,
        name=checked(claims.get("name") or "", commas=True),
        email=checked(claims.get("email") or ""),
        groups=groups_claimed(claims, sso.groups_claim),
        at=assertion.proved_at(claims, made_at_sign_in=sso.asserts_at_sign_in),
    )


def groups_claimed(claims: Mapping[str, Any], name: str) -> frozenset[str] | None:
    found = claims.get(name) if name else None
    if found is None:
        return None
    if isinstance(found, str):
        found = [found] if found else []
    if not isinstance(found, list):
        raise Refused(NotBelieved.MALFORMED)
    return frozenset(checked(group, commas=True) for group in found)
