"""One-time values for the create form, bound to the session they were given to."""

from __future__ import annotations

import secrets

from django.contrib.sessions.backends.base import SessionBase
from django.core.signing import BadSignature, TimestampSigner

MAX_AGE = 12 * 3600  # seconds; as long as a session lives


def new_nonce(session: SessionBase) -> str:
    return _signer(session).sign(secrets.token_urlsafe(16))


def checked_nonce(session: SessionBase, signed: str) -> str:
    """The bare nonce, or "" when it is not of this session, altered or too old."""
    try:
        return _signer(session).unsign(signed, max_age=MAX_AGE)
    except BadSignature:
        return ""


def _signer(session: SessionBase) -> TimestampSigner:
    return TimestampSigner(salt=f"key-create:{session.session_key}")
