"""Probes for load balancers and orchestrators: does the process serve, and can it work?"""

from __future__ import annotations

from collections.abc import Callable
from typing import NamedTuple

from django.contrib.auth.decorators import login_not_required
from django.db import connection
from django.http import HttpRequest, HttpResponse, JsonResponse
from django.views.decorators.http import require_safe

from estuary_admin.secrets.sealing import sealing_keys
from estuary_admin.storage import redis_cache


class Dependency(NamedTuple):
    """One entry of `/readyz`: `check` returns its state, "failed" when it does not work."""

    check: Callable[[], object]
    is_required: bool


_dependencies: dict[str, Dependency] = {}


def register_dependency(
    name: str, check: Callable[[], object], *, is_required: bool = True
) -> None:
    """Add an entry to `/readyz`; apps call this from `AppConfig.ready`.

    `check` runs on every probe, so it must be fast and must not call Estuary. It returns what JSON
    can hold: "ok", "degraded", "failed", or a dictionary with more to tell. An exception counts as
    "failed". Only a required dependency that failed makes the answer 503: register with
    `is_required=False` what another machine would not do better.
    """
    _dependencies[name] = Dependency(check, is_required)


@require_safe
@login_not_required
def healthz(_request: HttpRequest) -> HttpResponse:
    return HttpResponse("ok", content_type="text/plain")


@require_safe
@login_not_required
def readyz(_request: HttpRequest) -> HttpResponse:
    states = {name: _state(dependency) for name, dependency in _dependencies.items()}
    failed = {name for name, state in states.items() if state == "failed"}
    # A degraded dependency makes pages slower, not wrong: this machine stays in service.
    is_ready = not any(_dependencies[name].is_required for name in failed)
    return JsonResponse(states, status=200 if is_ready else 503)


def _state(dependency: Dependency) -> object:
    try:
        return dependency.check()
    except Exception:
        return "failed"


def _database() -> str:
    with connection.cursor() as cursor:
        cursor.execute("SELECT 1")
    return "ok"


def _sealing_keys() -> str:
    return "ok" if sealing_keys() else "failed"


register_dependency("database", _database)
register_dependency("cache", redis_cache.state)
register_dependency("sealing_keys", _sealing_keys)
