"""What every page's frame needs."""

from __future__ import annotations

from typing import Any

from django.conf import settings
from django.http import HttpRequest

from estuary_admin import VERSION
from keys.roles import is_admin


def console(request: HttpRequest) -> dict[str, Any]:
    session = getattr(request, "session", {})
    return {
        "console": {
            "estuary_host": settings.ESTUARY_API_URL.netloc,
            "is_sandbox": settings.IS_SANDBOX,
            "theme": session.get("theme", "system"),
            "is_admin": is_admin(getattr(request, "user", None)),
            "version": VERSION,
        }
    }
