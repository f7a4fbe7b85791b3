"""One-time values for the create form, bound to the session that they were issued to."""

from __future__ import annotations

import secrets

from django.contrib.sessions.backends.base import SessionBase
from django.core.signing import BadSignature, TimestampSigner

MAX_NONCE_SECONDS = 12 * 3600  # as long as a session lives


def new_nonce(session: SessionBase) -> str:
    """A signed nonce for one form of this session."""
    return _signer(session).sign(secrets.token_urlsafe(16))


def checked_nonce(session: SessionBase, signed: str) -> str:
    """The bare nonce; "" when it is altered, too old, or of another session."""
    try:
        return _signer(session).unsign(signed, max_age=MAX_NONCE_SECONDS)
    except BadSignature:
        return ""


def _signer(session: SessionBase) -> TimestampSigner:
    return TimestampSigner(salt=f"key-create:{session.session_key}")
