"""What a session says of how its member signed in."""

from __future__ import annotations

from typing import Any

from django.contrib.auth.backends import ModelBackend
from django.contrib.auth.models import User
from django.http import HttpRequest


class ProxyBackend(ModelBackend):
    """Marks sessions begun on a proxy's word; nobody signs in to it with a password.

    Django believes a session only while its backend stands in AUTHENTICATION_BACKENDS, so a
    change of SSO_MODE ends all sessions begun in another way. `get_user` leaves out members who
    are switched off.
    """

    def authenticate(
        self,
        request: HttpRequest | None,  # noqa: ARG002
        username: str | None = None,  # noqa: ARG002
        password: str | None = None,  # noqa: ARG002
        **_: Any,
    ) -> User | None:
        return None
