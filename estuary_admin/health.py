"""For load balancers: does the process serve, and can it work?"""

from __future__ import annotations

from django.contrib.auth.decorators import login_not_required
from django.core.cache import cache
from django.db import connection
from django.http import HttpRequest, HttpResponse, JsonResponse
from django.views.decorators.http import require_safe

from keys.sealing import sealing_keys


@require_safe
@login_not_required
def healthz(_request: HttpRequest) -> HttpResponse:
    return HttpResponse("ok", content_type="text/plain")


@require_safe
@login_not_required
def readyz(_request: HttpRequest) -> HttpResponse:
    checks = {"database": _database, "cache": _cache, "sealing_keys": _sealing_keys}
    states = {name: "ok" if _passes(check) else "failed" for name, check in checks.items()}
    return JsonResponse(states, status=200 if set(states.values()) == {"ok"} else 503)


def _passes(check: object) -> bool:
    try:
        return bool(check())  # type: ignore[operator]
    except Exception:
        return False


def _database() -> bool:
    with connection.cursor() as cursor:
        cursor.execute("SELECT 1")
    return True


def _cache() -> bool:
    cache.set("readyz", "ok", 10)
    return bool(cache.get("readyz") == "ok")


def _sealing_keys() -> bool:
    return bool(sealing_keys())
