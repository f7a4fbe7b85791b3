"""For load balancers: does the process serve, and can it work?"""

from __future__ import annotations

from collections.abc import Callable

from django.contrib.auth.decorators import login_not_required
from django.db import connection
from django.http import HttpRequest, HttpResponse, HttpResponseBase, JsonResponse
from django.views.decorators.http import require_safe

from estuary_admin.secrets.sealing import sealing_keys
from estuary_admin.storage import redis_cache

PROBES = {"/healthz", "/readyz", "/metrics"}


class ProbeMiddleware:
    """A probe is nobody's: without cookies it needs no session, and so no database."""

    def __init__(self, get_response: Callable[[HttpRequest], HttpResponseBase]) -> None:
        self.get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponseBase:
        if request.path_info in PROBES:
            request.COOKIES = {}
        return self.get_response(request)


@require_safe
@login_not_required
def healthz(_request: HttpRequest) -> HttpResponse:
    return HttpResponse("ok", content_type="text/plain")


@require_safe
@login_not_required
def readyz(_request: HttpRequest) -> HttpResponse:
    checks = {"database": _database, "cache": redis_cache.state, "sealing_keys": _sealing_keys}
    states = {name: _state(check) for name, check in checks.items()}
    # A degraded one is slower, and still right: no reason to take this machine out.
    return JsonResponse(states, status=503 if "failed" in states.values() else 200)


def _state(check: Callable[[], str]) -> str:
    try:
        return check()
    except Exception:
        return "failed"


def _database() -> str:
    with connection.cursor() as cursor:
        cursor.execute("SELECT 1")
    return "ok"


def _sealing_keys() -> str:
    return "ok" if sealing_keys() else "failed"
