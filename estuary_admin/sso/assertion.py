"""Verifying a signed assertion: who signed it, for whom, and whether it is about a person."""

from __future__ import annotations

import re
from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any

import jwt
from jwt import exceptions as wrong

from estuary_admin.sso.admission_errors import NotAdmitted
from estuary_admin.sso.config import Signed
from estuary_admin.sso.identity_errors import NotBelieved
from estuary_admin.sso.key_sets import key_set
from estuary_admin.sso.reasons import Reason, Refused

COMPACT = re.compile(r"(?:Bearer )?([\w-]+\.[\w-]+\.[\w-]*)", re.ASCII)
LEEWAY = 30  # seconds by which two clocks may differ
REQUIRED = ["exp", "iat", "aud", "iss"]
ROBOTS = (".gserviceaccount.com",)

#: The first that fits names the reason; the order goes from the special to the general.
REASONS: list[tuple[type[Exception], Reason]] = [
    (wrong.ExpiredSignatureError, NotBelieved.EXPIRED),
    (wrong.ImmatureSignatureError, NotBelieved.NOT_YET_VALID),
    (wrong.InvalidAudienceError, NotBelieved.WRONG_AUDIENCE),
    (wrong.InvalidIssuerError, NotBelieved.WRONG_ISSUER),
    (wrong.MissingRequiredClaimError, NotBelieved.INCOMPLETE),
    (wrong.InvalidAlgorithmError, NotBelieved.WRONG_ALGORITHM),
    (wrong.InvalidSignatureError, NotBelieved.WRONG_SIGNATURE),
    (wrong.PyJWKClientConnectionError, NotBelieved.KEYS_AWAY),
    (wrong.PyJWKClientError, NotBelieved.UNKNOWN_KEY),
    (wrong.InvalidKeyError, NotBelieved.WRONG_ALGORITHM),
]


def token_in(text: str) -> str:
    if not (found := COMPACT.fullmatch(text)):
        raise Refused(NotBelieved.NOT_AN_ASSERTION)
    return found[1]


def verified(token: str, signed: Signed) -> dict[str, Any]:
    """The claims of an assertion, or Refused with the reason."""
    try:
        header = jwt.get_unverified_header(token)
        if header.get("alg") not in signed.algorithms:
            raise Refused(NotBelieved.WRONG_ALGORITHM)
        if str(header.get("typ", "JWT")).upper() != "JWT":  # an access token, a logout token
            raise Refused(NotBelieved.NOT_AN_ASSERTION)
        # By its id from the configured address alone: what the assertion itself says about keys
        # (`jku`, `x5u`, `jwk`, `x5c`) is its sender's word.
        key = key_set(signed.jwks_url).key(str(header.get("kid", "")))
        claims: dict[str, Any] = jwt.decode(
            token,
            key,
            algorithms=list(signed.algorithms),
            audience=list(signed.audience),
            issuer=signed.issuer,
            leeway=LEEWAY,
            options={"require": REQUIRED},
        )
    except (jwt.PyJWTError, ValueError, RecursionError) as error:  # the last: [[[[[…
        raise Refused(_reason_of(error)) from None
    return claims


def _reason_of(error: Exception) -> Reason:
    return next(
        (reason for kind, reason in REASONS if isinstance(error, kind)),
        NotBelieved.NOT_AN_ASSERTION,
    )


def refuse_programs(claims: Mapping[str, Any], user_claim: str) -> None:
    """Service tokens are signed as well as any other, but nobody sits behind them."""
    email = str(claims.get("email", ""))
    is_program = (
        not claims.get("sub")
        or ("common_name" in claims and not email)  # Cloudflare Access
        or email.endswith(ROBOTS)  # Google IAP
        or claims.get("gty") == "client-credentials"
        or (not claims.get(user_claim) and not email)
    )
    if is_program:
        raise Refused(NotAdmitted.NO_PERSON)


def proved_at(claims: Mapping[str, Any], *, made_at_sign_in: bool) -> datetime | None:
    """When the person last proved to be themselves, as far as the assertion tells.

    Many are made anew for each request or out of an old session: when that was tells nothing.
    """
    at = claims.get("auth_time", claims["iat"] if made_at_sign_in else "")
    try:
        return datetime.fromtimestamp(float(at), UTC)
    except (TypeError, ValueError, OverflowError, OSError):
        return None
