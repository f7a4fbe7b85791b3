"""Settings of django-allauth as code: no sign-up, client addresses from named proxies only."""

from __future__ import annotations

from typing import Any

from allauth.account.adapter import DefaultAccountAdapter
from allauth.account.internal.userkit import get_user_by_username
from allauth.core.exceptions import ImmediateHttpResponse
from django.contrib.auth.models import User
from django.core.exceptions import ValidationError
from django.db import transaction
from django.http import HttpRequest
from django.shortcuts import redirect

from estuary_admin.security.known_devices import known_source
from estuary_admin.security.throttles import record_throttled, require_storage
from estuary_admin.web.client_address import client_address
from estuary_admin.web.redirects import can_visit


class LocalAccountAdapter(DefaultAccountAdapter):
    error_messages = DefaultAccountAdapter.error_messages | {
        "username_password_mismatch": "The username or the password is wrong.",
        "too_many_login_attempts": "Too many failed attempts. Try again in five minutes.",
        "too_many_passwords": "Too many failed attempts with this username or from your address. "
        "Try again in five minutes, or sign in with a passkey now.",
        "rate_limited": "Too many failed attempts. Try again in five minutes.",
    }

    def is_open_for_signup(self, request: HttpRequest) -> bool:  # noqa: ARG002
        return False

    def is_safe_url(self, url: str) -> bool:
        return can_visit(url)

    def get_client_ip(self, request: HttpRequest) -> str:
        return client_address(request)

    def _get_login_attempts_cache_key(self, request: HttpRequest, **credentials: Any) -> str:
        """Count wrong passwords for each member, and apart for sources that they used before.

        allauth includes the Host header, so each port would allow further attempts.
        """
        name = str(credentials.get("username", ""))
        member = get_user_by_username(name)
        if not isinstance(member, User):
            return f"name:{name.lower()}"
        if request.user == member:  # a confirmation, which only this member can ask for
            return f"member:{member.pk}:session"
        return f"member:{member.pk}:{known_source(request, member)}"

    def pre_authenticate(self, request: HttpRequest, **credentials: Any) -> None:
        try:
            super().pre_authenticate(request, **credentials)
        except ValidationError:
            require_storage()
            member = get_user_by_username(str(credentials.get("username", "")))
            is_confirmation = isinstance(request.user, User)
            record_throttled(
                request,
                "confirmation" if is_confirmation else "sign-in",
                member if isinstance(member, User) else None,
            )
            raise self.validation_error(
                "too_many_login_attempts" if is_confirmation else "too_many_passwords"
            ) from None

    def login(self, request: HttpRequest, user: User) -> None:
        """Sign in unless the member is switched off, also at this very moment.

        The session is saved under the lock, so that switching the member off ends it.
        """
        with transaction.atomic():
            if not User.objects.select_for_update(no_key=True).get(pk=user.pk).is_active:
                raise ImmediateHttpResponse(redirect("account_login"))
            super().login(request, user)
            request.session.save()

    def is_reauthentication_required(self, *, app: str, **_: object) -> bool:  # noqa: ARG002
        """Never: allauth would store typed secrets in clear. `security/fresh_proof.py` asks."""
        return False

    def add_message(self, *args: object, **kwargs: object) -> None:
        """Drop allauth's messages: our views say what happened."""
