"""Extends allauth's passkeys: checks the exact origin, and signs in without a session."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from typing import Any
from urllib.parse import SplitResult

from allauth.mfa.webauthn.internal.auth import STATE_SESSION_KEY
from django import forms
from django.conf import settings
from django.core import signing
from django.core.cache import cache
from django.core.exceptions import ValidationError
from django.http import HttpRequest, HttpResponse
from fido2.webauthn import CollectedClientData

DEFAULT_PORTS = {"http": 80, "https": 443}
MAX_CREDENTIAL_LENGTH = 32_000
CHALLENGE_SECONDS = 300


def passkey_options(options: Mapping[str, Any]) -> str:
    """Return the options for the browser as JSON; fido2's mappings are not dicts."""
    return json.dumps(dict(options), default=dict)


class CredentialField(forms.JSONField):
    """The browser's answer. Nested thousands deep, it would exceed the recursion limit."""

    widget = forms.HiddenInput

    def to_python(self, value: Any) -> Any:
        try:
            if len(value or "") <= MAX_CREDENTIAL_LENGTH:
                return super().to_python(value)
        except RecursionError:
            pass
        raise ValidationError(self.error_messages["invalid"], code="invalid")


def relying_party_id() -> str:
    """Return the host of PUBLIC_URL as browsers write it: lower case, other letters encoded."""
    host = str(settings.PUBLIC_URL.hostname)
    try:
        return host.encode("idna").decode()
    except UnicodeError:
        return host


def own_origin() -> str:
    public: SplitResult = settings.PUBLIC_URL
    host = f"[{public.hostname}]" if ":" in str(public.hostname) else relying_party_id()
    has_port = public.port not in {None, DEFAULT_PORTS[public.scheme]}
    return f"{public.scheme}://{host}{f':{public.port}' if has_port else ''}"


def is_from_own_page(client_data: CollectedClientData) -> bool:
    """Whether the browser used the passkey on a page of PUBLIC_URL, in no frame of another site.

    fido2 itself also accepts subdomains, other ports, and plain http below `localhost`.
    """
    return client_data.origin == own_origin() and not client_data.cross_origin


# Before the sign-in, a signed cookie holds the challenge: a session would be a row for each try.


def challenge_to_cookie(request: HttpRequest, response: HttpResponse) -> None:
    """Move the challenge from the session, which was never saved, to a cookie."""
    state = request.session.pop(STATE_SESSION_KEY)
    response.set_cookie(
        _cookie_name(),
        signing.dumps(state, salt=_cookie_name()),
        max_age=CHALLENGE_SECONDS,
        path=settings.SESSION_COOKIE_PATH,
        secure=settings.SESSION_COOKIE_SECURE,
        httponly=True,
        samesite="Strict",
    )


def challenge_from_cookie(request: HttpRequest) -> None:
    """Put the challenge back into the session for this request; each is accepted once."""
    cookie = request.COOKIES.get(_cookie_name(), "")
    try:
        state = signing.loads(cookie, salt=_cookie_name(), max_age=CHALLENGE_SECONDS)
    except signing.BadSignature:
        return
    name = hashlib.sha256(state["challenge"].encode()).hexdigest()
    if cache.add(f"passkey-challenge-used:{name}", 1, CHALLENGE_SECONDS):
        request.session[STATE_SESSION_KEY] = state


def forget_challenge(request: HttpRequest, response: HttpResponse) -> None:
    request.session.pop(STATE_SESSION_KEY, None)
    response.delete_cookie(_cookie_name(), path=settings.SESSION_COOKIE_PATH, samesite="Strict")


def _cookie_name() -> str:
    return f"{settings.COOKIE_PREFIX}passkey"
