"""What a session says of how its member signed in."""

from __future__ import annotations

from typing import Any

from allauth.account.auth_backends import AuthenticationBackend
from django.contrib.auth.backends import ModelBackend
from django.contrib.auth.models import User
from django.http import HttpRequest

from estuary_admin.storage.prepared_queries import PreparedQuery

_members = PreparedQuery(User.objects.filter(pk=0))


class _PreparedBackend(ModelBackend):
    """Django believes a session only while its backend stands in AUTHENTICATION_BACKENDS, so a
    change of SSO_MODE ends all sessions begun in another way.
    """

    def get_user(self, user_id: int) -> User | None:
        """The member of a session, unless they are switched off: asked with every request."""
        member = _members.first(user_id)
        return member if member and self.user_can_authenticate(member) else None


class LocalBackend(_PreparedBackend, AuthenticationBackend):
    """Signs in by password, and marks sessions begun that way."""


class ProxyBackend(_PreparedBackend):
    """Marks sessions begun on a proxy's word; nobody signs in to it with a password."""

    def authenticate(
        self,
        request: HttpRequest | None,  # noqa: ARG002
        username: str | None = None,  # noqa: ARG002
        password: str | None = None,  # noqa: ARG002
        **_: Any,
    ) -> User | None:
        return None


class OidcBackend(ProxyBackend):
    """Marks sessions begun at a provider."""
