"""What every page shows around its content, computed only when a template uses it."""

from __future__ import annotations

from django.conf import settings
from django.http import HttpRequest

from estuary_admin import VERSION
from estuary_admin.members import is_admin
from estuary_admin.security.proof_methods import has_password_here


class Console:
    """Queries nothing in advance: an error page is shown while the database is away, too."""

    version = VERSION

    def __init__(self, request: HttpRequest) -> None:
        self._request = request

    @property
    def estuary_host(self) -> str:
        return settings.ESTUARY_API_URL.netloc

    @property
    def is_sandbox(self) -> bool:
        return settings.IS_SANDBOX

    @property
    def has_sso(self) -> bool:
        """Whether single sign-on is configured; without it, pages need no query for the role."""
        return settings.SSO.mode != "local"

    @property
    def theme(self) -> str:
        session = getattr(self._request, "session", None)
        return str(session.get("theme", "system")) if session else "system"

    @property
    def has_shortcuts(self) -> bool:
        session = getattr(self._request, "session", None)
        return bool(session and session.get("shortcuts", True))

    @property
    def has_password(self) -> bool:
        """Whether there is a password to change; on an error page there may be no member."""
        return hasattr(self._request, "user") and has_password_here(self._request)

    @property
    def is_admin(self) -> bool:
        return is_admin(getattr(self._request, "user", None))


def console(request: HttpRequest) -> dict[str, Console]:
    return {"console": Console(request)}
