"""How django-allauth behaves here: closed sign-up, addresses from named proxies only."""

from __future__ import annotations

from typing import Any

from allauth.account.adapter import DefaultAccountAdapter
from allauth.core import context
from django.contrib.auth.signals import user_login_failed
from django.core.exceptions import ValidationError
from django.http import HttpRequest
from django.utils.http import url_has_allowed_host_and_scheme

from estuary_admin.web.client_address import client_address


class LocalAccountAdapter(DefaultAccountAdapter):
    error_messages = DefaultAccountAdapter.error_messages | {
        "username_password_mismatch": "The username or the password is wrong.",
    }

    def is_open_for_signup(self, request: HttpRequest) -> bool:  # noqa: ARG002
        return False

    def is_safe_url(self, url: str) -> bool:
        # allauth's own takes every name in ALLOWED_HOSTS, which has the loopback in it.
        request = context.request
        return url_has_allowed_host_and_scheme(
            url, {request.get_host()}, require_https=request.is_secure()
        )

    def get_client_ip(self, request: HttpRequest) -> str:
        return client_address(request)

    def _get_login_attempts_cache_key(self, request: HttpRequest, **credentials: Any) -> str:  # noqa: ARG002
        # allauth's own has the Host header in it: another port there would be another allowance.
        return str(credentials.get("username", "")).lower()

    def pre_authenticate(self, request: HttpRequest, **credentials: Any) -> None:
        try:
            super().pre_authenticate(request, **credentials)
        except ValidationError:
            # Throttled: no password is compared, but somebody tried, and the audit must say so.
            name = {"username": credentials.get("username", "")}
            user_login_failed.send(__name__, credentials=name, request=request)
            raise

    def is_reauthentication_required(self, *, app: str, **_: object) -> bool:  # noqa: ARG002
        """Never by allauth, which keeps typed secrets in clear: `security/fresh_proof.py` asks."""
        return False

    def add_message(self, *args: object, **kwargs: object) -> None:
        """Say nothing in allauth's words: the page that follows shows it, or our views say it."""
