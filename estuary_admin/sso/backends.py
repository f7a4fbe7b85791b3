"""Authentication backends: a session names the one by which its member signed in."""

from __future__ import annotations

from typing import Any

from allauth.account.auth_backends import AuthenticationBackend
from django.contrib.auth.backends import ModelBackend
from django.contrib.auth.models import AbstractBaseUser, User
from django.http import HttpRequest

from estuary_admin.storage.prepared_queries import PreparedQuery

_members = PreparedQuery(User.objects.filter(pk=0))


class _PreparedBackend(ModelBackend):
    """Reads the member by a prepared query.

    Django accepts a session only while its backend is in AUTHENTICATION_BACKENDS, so a change of
    SSO_MODE ends the sessions of the other modes.
    """

    def get_user(self, user_id: int) -> User | None:
        """Return the session's member unless they are switched off. Runs with each request."""
        member = _members.first(user_id)
        return member if member and self.user_can_authenticate(member) else None


class LocalBackend(_PreparedBackend, AuthenticationBackend):
    """Signs in by password or passkey."""

    @classmethod
    def _stash_user(cls, user: AbstractBaseUser | None) -> AbstractBaseUser | None:  # noqa: ARG003
        """Forget a switched-off member: their right password is refused like a wrong one."""
        return None


class ProxyBackend(_PreparedBackend):
    """Marks sessions that the proxy began; accepts no password."""

    def authenticate(
        self,
        request: HttpRequest | None,  # noqa: ARG002
        username: str | None = None,  # noqa: ARG002
        password: str | None = None,  # noqa: ARG002
        **_: Any,
    ) -> User | None:
        return None


class OidcBackend(ProxyBackend):
    """Marks sessions that began at a provider; accepts no password."""
