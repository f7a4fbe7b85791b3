"""Verifies a signed assertion (JWT) and reads the person's identity from its claims."""

from __future__ import annotations

import re
from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any

import jwt
from jwt import exceptions as jwt_errors

from estuary_admin.sso.config import AssertionRules, Config
from estuary_admin.sso.identity_values import ProvedIdentity, checked, or_empty, username_of
from estuary_admin.sso.key_sets import key_set
from estuary_admin.sso.refusals import NotAdmitted, NotBelieved, Reason, Refused

COMPACT_TOKEN = re.compile(r"(?:Bearer )?([\w-]+\.[\w-]+\.[\w-]*)", re.ASCII)
CLOCK_LEEWAY_SECONDS = 30
REQUIRED_CLAIMS = ["exp", "iat", "aud", "iss"]
SERVICE_ACCOUNT_DOMAINS = (".gserviceaccount.com",)

#: The first match gives the reason, so special errors come before general ones.
REASONS: list[tuple[type[Exception], Reason]] = [
    (jwt_errors.ExpiredSignatureError, NotBelieved.EXPIRED),
    (jwt_errors.ImmatureSignatureError, NotBelieved.NOT_YET_VALID),
    (jwt_errors.InvalidAudienceError, NotBelieved.WRONG_AUDIENCE),
    (jwt_errors.InvalidIssuerError, NotBelieved.WRONG_ISSUER),
    (jwt_errors.MissingRequiredClaimError, NotBelieved.INCOMPLETE),
    (jwt_errors.InvalidSubjectError, NotBelieved.MALFORMED_CLAIM),
    (jwt_errors.InvalidAlgorithmError, NotBelieved.WRONG_ALGORITHM),
    (jwt_errors.InvalidSignatureError, NotBelieved.WRONG_SIGNATURE),
    (jwt_errors.PyJWKClientConnectionError, NotBelieved.KEYS_AWAY),
    (jwt_errors.PyJWKClientError, NotBelieved.UNKNOWN_KEY),
    (jwt_errors.InvalidKeyError, NotBelieved.WRONG_ALGORITHM),
]


def token_in(text: str) -> str:
    if not (found := COMPACT_TOKEN.fullmatch(text)):
        raise Refused(NotBelieved.NOT_AN_ASSERTION)
    return found[1]


def verified_claims(token: str, rules: AssertionRules) -> dict[str, Any]:
    """Return the claims of a valid assertion, or raise Refused with the reason."""
    try:
        header = jwt.get_unverified_header(token)
        if header.get("alg") not in rules.algorithms:
            raise Refused(NotBelieved.WRONG_ALGORITHM)
        if str(header.get("typ", "JWT")).upper() != "JWT":  # an access token, a logout token
            raise Refused(NotBelieved.NOT_AN_ASSERTION)
        # Keys come from the configured address only. `jku`, `x5u`, `jwk` and `x5c` are ignored:
        # the sender of the assertion chooses them.
        key = key_set(rules.jwks_url).key(str(header.get("kid", "")))
        claims: dict[str, Any] = jwt.decode(
            token,
            key,
            algorithms=list(rules.algorithms),
            audience=list(rules.audience),
            issuer=rules.issuer,
            leeway=CLOCK_LEEWAY_SECONDS,
            options={"require": REQUIRED_CLAIMS},
        )
    except (jwt.PyJWTError, ValueError, RecursionError) as error:  # RecursionError: [[[[[…
        raise Refused(_reason_of(error)) from None
    return claims


def _reason_of(error: Exception) -> Reason:
    return next(
        (reason for kind, reason in REASONS if isinstance(error, kind)),
        NotBelieved.NOT_AN_ASSERTION,
    )


def identity_from_claims(claims: Mapping[str, Any], sso: Config) -> ProvedIdentity:
    if sso.is_proxy:  # At a provider only people sign in.
        refuse_programs(claims, sso.user_claim)
    username = username_of(claims.get(sso.user_claim) or "", NotBelieved.MALFORMED_CLAIM)
    if not username:
        raise Refused(NotBelieved.INCOMPLETE)
    if sso.user_claim == "email" and claims.get("email_verified") is False:
        raise Refused(NotBelieved.INCOMPLETE)
    return ProvedIdentity(
        source=str(claims["iss"]),
        stable_id=checked(claims["sub"], allow_commas=True, reason=NotBelieved.MALFORMED_CLAIM),
        username=username,
        name=or_empty(lambda: checked(claims.get("name", ""), allow_commas=True)),
        email=or_empty(lambda: checked(claims.get("email", ""))),
        groups=groups_claimed(claims, sso.groups_claim),
        at=signed_in_at(claims, made_at_sign_in=sso.asserts_at_sign_in),
    )


def refuse_programs(claims: Mapping[str, Any], user_claim: str) -> None:
    """Refuse service tokens: their signature is valid, but no person is using them."""
    email = str(claims.get("email", ""))
    is_program = (
        not claims.get("sub")
        or ("common_name" in claims and not email)  # Cloudflare Access
        or email.endswith(SERVICE_ACCOUNT_DOMAINS)  # Google IAP
        or claims.get("gty") == "client-credentials"
        or (not claims.get(user_claim) and not email)
    )
    if is_program:
        raise Refused(NotAdmitted.NO_PERSON)


def groups_claimed(claims: Mapping[str, Any], name: str) -> frozenset[str] | None:
    found = claims.get(name) if name else None
    if found is None:
        return None
    if isinstance(found, str):
        found = [found] if found else []
    if not isinstance(found, list) or not all(isinstance(group, str) for group in found):
        raise Refused(NotBelieved.MALFORMED_CLAIM)
    return frozenset(found)


def signed_in_at(claims: Mapping[str, Any], *, made_at_sign_in: bool) -> datetime | None:
    """The time when the person last signed in at the source, if the assertion has it.

    `iat` counts only if the assertion is made at sign-in: most proxies make a new one for each
    request, so its age says nothing about the person.
    """
    at = claims.get("auth_time", claims["iat"] if made_at_sign_in else "")
    try:
        return datetime.fromtimestamp(float(at), UTC)
    except (TypeError, ValueError, OverflowError, OSError):
        return None
