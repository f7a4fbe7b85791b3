"""What every page's frame needs, worked out only when a page uses it."""

from __future__ import annotations

from django.conf import settings
from django.http import HttpRequest

from estuary_admin import VERSION
from estuary_admin.members import is_admin
from estuary_admin.security.proof_methods import has_password_here


class Console:
    """An error page may come while the database is away, so nothing here is asked beforehand."""

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
        """Whether there is single sign-on to look into; spares local members a query per page."""
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
        """Whether there is a password to change; on error pages nobody may be known."""
        return hasattr(self._request, "user") and has_password_here(self._request)

    @property
    def is_admin(self) -> bool:
        return is_admin(getattr(self._request, "user", None))


def console(request: HttpRequest) -> dict[str, Console]:
    return {"console": Console(request)}
