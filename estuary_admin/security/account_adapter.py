"""Settings of django-allauth as code: no sign-up, client addresses from named proxies only."""

from __future__ import annotations

from typing import Any

from allauth.account.adapter import DefaultAccountAdapter
from django.contrib.auth.signals import user_login_failed
from django.core.exceptions import ValidationError
from django.http import HttpRequest

from estuary_admin.web.client_address import client_address
from estuary_admin.web.redirects import can_visit


class LocalAccountAdapter(DefaultAccountAdapter):
    error_messages = DefaultAccountAdapter.error_messages | {
        "username_password_mismatch": "The username or the password is wrong.",
    }

    def is_open_for_signup(self, request: HttpRequest) -> bool:  # noqa: ARG002
        return False

    def is_safe_url(self, url: str) -> bool:
        return can_visit(url)

    def get_client_ip(self, request: HttpRequest) -> str:
        return client_address(request)

    def _get_login_attempts_cache_key(self, request: HttpRequest, **credentials: Any) -> str:  # noqa: ARG002
        # allauth includes the Host header, so each port would allow further attempts.
        return str(credentials.get("username", "")).lower()

    def pre_authenticate(self, request: HttpRequest, **credentials: Any) -> None:
        try:
            super().pre_authenticate(request, **credentials)
        except ValidationError:
            # Throttled: no password is compared, but the audit records the attempt.
            name = {"username": credentials.get("username", "")}
            user_login_failed.send(__name__, credentials=name, request=request)
            raise

    def is_reauthentication_required(self, *, app: str, **_: object) -> bool:  # noqa: ARG002
        """Never: allauth would store typed secrets in clear. `security/fresh_proof.py` asks."""
        return False

    def add_message(self, *args: object, **kwargs: object) -> None:
        """Drop allauth's messages: our views say what happened."""
