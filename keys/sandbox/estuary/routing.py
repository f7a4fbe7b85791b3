"""Which endpoint a request is for, as echo routes it."""

from __future__ import annotations

from dataclasses import dataclass

from keys.sandbox.estuary.errors import ApiError, not_found
from keys.sandbox.estuary.generations import Generation
from keys.sandbox.estuary.state import UPLOAD_LEVEL, USER_LEVEL
from keys.sandbox.wire.golang import routed_path
from keys.sandbox.wire.parsing import Request

_KEYS = b"/user/api-keys"
_ENDPOINTS = {
    ("GET", _KEYS): "list",
    ("POST", _KEYS): "create",
    ("GET", b"/user/stats"): "stats",
    ("GET", b"/user/export"): "export",
}
# The methods of echo's Any(); others are refused before the authorization check.
_METHODS = frozenset(("GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS", "TRACE"))
_METHODS |= {"CONNECT", "PROPFIND", "REPORT"}


@dataclass(slots=True)
class Route:
    """What a request asks for: the endpoint's name, the level that it needs, its parameter."""

    endpoint: str
    level: int = USER_LEVEL
    parameter: bytes = b""


def find_route(request: Request, generation: Generation) -> Route:
    """Route a request as echo would; raises ApiError 404 or 405."""
    path = routed_path(request.path)
    if generation.strips_slash and len(path) > 1 and path.endswith(b"/"):
        path = path[:-1]
    method = request.method
    if path in {b"/health", b"/viewer"}:
        if method == "GET":
            return Route(path[1:].decode(), 0 if path == b"/health" else UPLOAD_LEVEL)
        raise _method_not_allowed(generation)
    if path != b"/user" and not path.startswith(b"/user/"):
        raise not_found()
    if method not in _METHODS:
        raise _method_not_allowed(generation)
    if endpoint := _ENDPOINTS.get((method, path)):
        return Route(endpoint)
    parameter = path.removeprefix(_KEYS + b"/")
    if method == "DELETE" and parameter and parameter != path:
        return Route("revoke", parameter=parameter)
    return Route("none")  # 404, but only with a valid token


def _method_not_allowed(generation: Generation) -> ApiError:
    allow = "OPTIONS, GET" if generation.tells_allow else ""
    return ApiError(405, details="Method Not Allowed", allow=allow)
