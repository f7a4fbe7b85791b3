"""Checks single sign-on step by step; each failure comes with its fix."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

import jwt
from django.conf import settings
from jwt import PyJWTError

from estuary_admin.observability.doctor import Check, register
from estuary_admin.sso import header_identity
from estuary_admin.sso.assertion import token_in
from estuary_admin.sso.config import PROXY_SECRET_HEADER, Config, Provider
from estuary_admin.sso.discovery import DiscoveryFailed, discover
from estuary_admin.sso.group_roles import admins_who_can_sign_in
from estuary_admin.sso.identity_values import ProvedIdentity, header_of, masked, meta_key
from estuary_admin.sso.key_sets import KeySet
from estuary_admin.sso.models import Identity
from estuary_admin.sso.presets import HEADER_PRESETS, JWT_PRESETS
from estuary_admin.sso.provisioning import find, may_sign_in
from estuary_admin.sso.refusals import NotAdmitted, NotBelieved, Refused

Meta = Mapping[str, Any]
MASKED_CLAIMS = {"sub", "email", "name", "preferred_username", "nickname", "given_name"}


@dataclass(frozen=True, slots=True)
class Finding:
    title: str
    is_ok: bool
    sentence: str
    fix: str = ""


@dataclass(frozen=True, slots=True)
class Arrived:
    name: str
    is_expected: bool
    value: str  # masked; "" = absent


def check_sso() -> list[Check]:
    """Check what can be checked without a request: providers, keys, proxies, and the admins."""
    sso: Config = settings.SSO
    if sso.is_local:
        return [Check("Members sign in with local accounts (SSO_MODE is local).", True)]
    checks = [check for provider in sso.providers for check in _provider_checks(provider)]
    if sso.assertion:
        checks.append(_keys_check(sso.assertion.jwks_url, "Make SSO_JWT_JWKS_URL reachable."))
    if sso.is_proxy:
        checks += _proxy_checks(sso)
    return [*checks, _admins_check(sso)]


def _admins_check(sso: Config) -> Check:
    if admins_who_can_sign_in().exists():
        return Check("An admin can sign in.", True)
    if sso.admin_groups:
        groups = ", ".join(sorted(sso.admin_groups))
        return Check(f"No admin has signed in yet; members of {groups} become admins.", True)
    fix = (
        "Set SSO_ADMIN_GROUPS, or set SSO_LOCAL_FALLBACK=true and run “manage.py createmember NAME "
        "--admin”."
    )
    return Check("No admin can sign in.", False, fix)


def _provider_checks(provider: Provider) -> Iterator[Check]:
    try:
        found = discover(provider.issuer)
    except DiscoveryFailed as error:
        fix = NotBelieved.PROVIDER_UNAVAILABLE.fix
        yield Check(f"Provider {provider.id}, {provider.issuer}: {error}", False, fix)
        return
    yield Check(f"Provider {provider.id}: {provider.issuer} describes itself.", True)
    yield _keys_check(found["jwks_uri"], NotBelieved.KEYS_AWAY.explained("oidc").fix)


def _keys_check(url: str, fix: str) -> Check:
    try:
        keys = KeySet(url).keys()
    except PyJWTError:
        return Check(f"{url} lists no keys that can be fetched and used.", False, fix)
    names = ", ".join(f"{key.key_id or 'no id'} ({key.algorithm_name})" for key in keys)
    return Check(f"{url} lists {names}.", True)


def _proxy_checks(sso: Config) -> Iterator[Check]:
    names = ", ".join(sso.identity_headers)
    yield Check(f"Identity headers: {names}, only from {sso.peers}.", True)
    if sso.headers and not sso.secrets:
        yield Check(
            "The proxy proves itself by its address alone (no SSO_PROXY_SECRET).",
            not sso.peers.has_loopback,
            "Set SSO_PROXY_SECRET: any program on this machine has the proxy's address.",
            is_warning=True,
        )
    last = Identity.objects.filter(source=sso.source).order_by("-last_seen").first()
    seen = f"last at {last.last_seen:%Y-%m-%d %H:%M} UTC" if last else "nobody yet"
    yield Check(f"Signed in through the proxy: {seen}.", True)


def arrived(meta: Meta, sso: Config) -> list[Arrived]:
    """The expected headers, and headers of other well-known proxies if the request has them."""
    wanted = [*sso.identity_headers, *([PROXY_SECRET_HEADER] if sso.secrets else [])]
    presets = [*HEADER_PRESETS.values(), *JWT_PRESETS.values()]
    known = {
        value for preset in presets for name, value in preset.items() if name.endswith("_HEADER")
    }
    others = [name for name in sorted(known - set(wanted)) if meta.get(meta_key(name))]
    return [
        Arrived(
            name,
            name in wanted,
            masked(str(meta[meta_key(name)])) if meta_key(name) in meta else "",
        )
        for name in (*wanted, *others)
    ]


def diagnose(meta: Meta, sso: Config) -> list[Finding]:
    """Run the steps of a sign-in up to the first that fails."""
    if not sso.is_proxy:
        return [Finding("Mode", True, f"SSO_MODE is {sso.mode}: identity headers are ignored.")]
    findings: list[Finding] = []
    try:
        for finding in _steps(meta, sso):
            findings.append(finding)  # noqa: PERF402 - keeps those before a refusal
    except Refused as refusal:
        words = refusal.reason.explained(sso.mode)
        findings.append(Finding("Refused", False, words.sentence, words.fix))
    return findings


def _steps(meta: Meta, sso: Config) -> Iterator[Finding]:
    peer = str(meta.get("REMOTE_ADDR", "")) or "unix socket"
    if str(meta.get("REMOTE_ADDR", "")) not in sso.peers:
        yield Finding("Peer", False, f"{peer} is no trusted proxy.", NotBelieved.UNTRUSTED_PEER.fix)
        return
    yield Finding("Peer", True, f"{peer} is a trusted proxy.")
    if sso.secrets:
        header_identity.check_secret(meta, sso)
        yield Finding("Secret", True, f"{PROXY_SECRET_HEADER} is right.")
    if sso.assertion:
        yield from _assertion(meta, sso)
    proved = header_identity.prove(meta, sso)
    yield Finding("Identity", True, f"{proved.username} of {proved.source}.")
    yield _groups(proved, sso)
    yield _member(proved)


def _assertion(meta: Meta, sso: Config) -> Iterator[Finding]:
    assert sso.assertion is not None  # noqa: S101 - for the types
    text = header_of(meta, sso.assertion.header)
    if not text:
        raise Refused(NotBelieved.MISSING)
    token = token_in(text)
    try:
        header = jwt.get_unverified_header(token)
        claims = jwt.decode(token, options={"verify_signature": False})
    except (jwt.PyJWTError, ValueError, RecursionError):
        raise Refused(NotBelieved.NOT_AN_ASSERTION) from None
    said = ", ".join(f"{name} {header.get(name, 'absent')}" for name in ("alg", "kid", "typ"))
    yield Finding("Assertion header", True, f"{said} (not proved by itself).")
    yield Finding("Assertion claims", True, f"{', '.join(_shown(claims))} (not proved yet).")
    header_identity.claims_in(meta, sso.assertion)
    yield Finding("Assertion", True, "Signature, issuer, audience and times are right.")


def _shown(claims: Mapping[str, Any]) -> Iterator[str]:
    for name, value in claims.items():
        yield f"{name} {masked(str(value)) if name in MASKED_CLAIMS else value}"


def _groups(proved: ProvedIdentity, sso: Config) -> Finding:
    if proved.groups is None:
        said, role = "The source says nothing about groups", "the role stays as it is"
    else:
        said = f"Groups: {', '.join(sorted(proved.groups)) or 'none'}"
        is_admin = bool(proved.groups & sso.admin_groups)
        role = "admin" if is_admin else "member" if sso.admin_groups else "the role stays as it is"
    if not may_sign_in(proved.groups, sso):
        reason = NotAdmitted.NOT_IN_GROUPS
        return Finding("Groups", False, f"{said}: {reason.sentence}", reason.fix)
    return Finding("Groups", True, f"{said}: {role}.")


def _member(proved: ProvedIdentity) -> Finding:
    identity = find(proved)
    if identity is None:
        return Finding("Member", True, "This identity has not signed in yet.")
    if identity.is_pending:
        return Finding("Member", False, NotAdmitted.PENDING.sentence, NotAdmitted.PENDING.fix)
    if not identity.member.is_active:
        return Finding(
            "Member", False, NotAdmitted.SWITCHED_OFF.sentence, NotAdmitted.SWITCHED_OFF.fix
        )
    return Finding("Member", True, f"This is {identity.member.get_username()}.")


register("Single sign-on", check_sso)


register("Single sign-on", check_sso)
