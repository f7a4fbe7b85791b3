"""Values for the frame of every page, computed only when a template uses them."""

from __future__ import annotations

from django.conf import settings
from django.core.cache import cache
from django.http import HttpRequest

from estuary_admin import VERSION
from estuary_admin.members import is_admin
from estuary_admin.sso.sessions import has_password_here
from keys.jobs.status import worker_status
from keys.notices.outbox import notice_count

WARNING_NAME = "worker-warning:1"
WARNING_REUSE_SECONDS = 30  # for all admins together


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

    @property
    def worker_warning(self) -> str:
        """For admins: that no background worker runs, and what waits; "" when one does."""
        if not self.is_admin:
            return ""
        return str(cache.get_or_set(WARNING_NAME, _worker_sentence, WARNING_REUSE_SECONDS))

    @property
    def notice_count(self) -> int:
        """The number of notices that the member has not dismissed."""
        return notice_count(self._request.user)  # type: ignore[arg-type]


def _worker_sentence() -> str:
    return worker_status().sentence


def console(request: HttpRequest) -> dict[str, Console]:
    return {"console": Console(request)}
