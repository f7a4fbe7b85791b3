"""Encrypts secrets at rest with AES-256-GCM.

A sealed text is `v1.<key id>.<base64url of nonce and ciphertext>`. The first of TOKEN_SEALING_KEYS
seals and all of them unseal, so keys can be rotated without losing a token. A stored token is bound
to its member, any other secret to a purpose: it cannot be opened for another one.
"""

from __future__ import annotations

import base64
import binascii
import hashlib
import os
from functools import cache

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from django.conf import settings
from django.core.exceptions import ImproperlyConfigured
from django.views.decorators.debug import sensitive_variables

VERSION = "v1"
NONCE_BYTES = 12  # recommended for GCM by NIST SP 800-38D


class SealBroken(Exception):
    """None of the keys opens this text for this member or purpose."""


def seal(token: str, member_id: int) -> str:
    """Seal a token for one member with the newest key."""
    return _seal(token, f"member:{member_id}")


def unseal(sealed: str, member_id: int) -> str:
    """Open what `seal` made for this member. Raises SealBroken."""
    return _unseal(sealed, f"member:{member_id}")


def seal_for(purpose: str, text: str) -> str:
    """Seal a secret that is not a stored token; it opens for the same purpose only."""
    return _seal(text, f"for:{purpose}")


def unseal_for(purpose: str, sealed: str) -> str:
    """Open what `seal_for` made for this purpose. Raises SealBroken."""
    return _unseal(sealed, f"for:{purpose}")


@sensitive_variables("text")
def _seal(text: str, owner: str) -> str:
    key_id = newest_key_id()
    nonce = os.urandom(NONCE_BYTES)
    box = nonce + AESGCM(sealing_keys()[key_id]).encrypt(
        nonce, text.encode(), _bound_to(owner, key_id)
    )
    return f"{VERSION}.{key_id}.{base64.urlsafe_b64encode(box).decode()}"


@sensitive_variables("opened", "box", "key")
def _unseal(sealed: str, owner: str) -> str:
    try:
        version, key_id, body = sealed.split(".")
        box = base64.urlsafe_b64decode(body)
        key = sealing_keys()[key_id]
        if version != VERSION:
            raise SealBroken
        opened = AESGCM(key).decrypt(box[:NONCE_BYTES], box[NONCE_BYTES:], _bound_to(owner, key_id))
    except (ValueError, KeyError, InvalidTag, binascii.Error):
        raise SealBroken from None
    return opened.decode()


def is_newest(sealed: str) -> bool:
    """Whether a sealed text uses the newest key."""
    return sealed.startswith(f"{VERSION}.{newest_key_id()}.")


def newest_key_id() -> str:
    return next(iter(sealing_keys()))


def sealing_keys() -> dict[str, bytes]:
    """The keys by id, newest first. Raises ImproperlyConfigured if one is not a key."""
    return _parsed(tuple(settings.TOKEN_SEALING_KEYS))


@cache
def _parsed(texts: tuple[str, ...]) -> dict[str, bytes]:
    if not texts:
        raise ImproperlyConfigured(
            "Set TOKEN_SEALING_KEYS: 32 random bytes in base64, as `openssl rand -base64 32` makes."
        )
    keys = [_decoded(text) for text in texts]
    return {hashlib.sha256(key).hexdigest()[:8]: key for key in keys}


def _decoded(text: str) -> bytes:
    try:
        key = base64.b64decode(text.replace("-", "+").replace("_", "/"), validate=True)
    except binascii.Error:
        key = b""
    if len(key) != 32:
        # Do not quote the value: a wrong one is a secret too.
        raise ImproperlyConfigured(
            "Each of TOKEN_SEALING_KEYS must be 32 random bytes in base64, "
            "as `openssl rand -base64 32` makes."
        )
    return key


def _bound_to(owner: str, key_id: str) -> bytes:
    return f"{VERSION}.{key_id}.{owner}".encode()
