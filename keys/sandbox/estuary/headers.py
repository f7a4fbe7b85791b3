"""The headers of every answer, and the answer to a preflight (echo's CORS middleware)."""

from __future__ import annotations

from keys.sandbox.estuary.generations import Generation
from keys.sandbox.wire.parsing import Reply, Request

_METHODS = "GET,HEAD,PUT,PATCH,POST,DELETE"


def with_common_headers(request: Request, reply: Reply, generation: Generation) -> Reply:
    """Add the headers that every answer of Estuary has, errors included."""
    reply.headers.append(("Vary", "Origin"))
    if generation.version:
        reply.headers.append(("X-Appversion", generation.version))
    if "origin" in request.headers:
        reply.headers.append(("Access-Control-Allow-Origin", "*"))
    return reply


def preflight(request: Request, generation: Generation) -> Reply:
    """204 to any OPTIONS on any path, known or not."""
    reply = with_common_headers(request, Reply(204), generation)
    if "origin" in request.headers:
        reply.headers += [
            ("Access-Control-Allow-Methods", _METHODS),
            ("Vary", "Access-Control-Request-Method"),
            ("Vary", "Access-Control-Request-Headers"),
        ]
        if asked := request.headers.get("access-control-request-headers"):
            reply.headers.append(("Access-Control-Allow-Headers", asked))
    return reply
