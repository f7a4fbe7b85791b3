"""The handlers of the API: what each endpoint does and answers."""

from __future__ import annotations

import uuid
from collections.abc import Callable, Iterator
from itertools import chain

from keys.sandbox.estuary.auth import Authorization
from keys.sandbox.estuary.contents import LARGEST_EXPORT
from keys.sandbox.estuary.errors import not_found, postgres_objection, unforeseen
from keys.sandbox.estuary.export import export_body
from keys.sandbox.estuary.generations import Generation
from keys.sandbox.estuary.routing import Route
from keys.sandbox.estuary.state import Key, State, User, key_json
from keys.sandbox.estuary.viewer import Viewer
from keys.sandbox.wire.goduration import DurationError, parse_duration
from keys.sandbox.wire.golang import SECOND, json_indented, query_values
from keys.sandbox.wire.parsing import Reply, Request

DAY = 86_400 * SECOND
DEFAULT_LIFETIME = 30 * DAY
PERMANENT = 36_500 * DAY  # what `expiry=false` means
_GATHER = 65_536  # bytes of an export made before the first of them is sent
_LARGEST_INT = (1 << 63) - 1


class UserApi:
    """The handlers; `clock` gives seconds, `wall` nanoseconds since 1970."""

    def __init__(
        self,
        state: State,
        generation: Generation,
        clock: Callable[[], float],
        wall: Callable[[], int],
    ) -> None:
        self._state = state
        self._generation = generation
        self._authorization = Authorization(state, generation, clock, wall)
        self._wall = wall
        self._viewer = Viewer(generation, clock)
        self.truncate_exports = False

    def answer(self, request: Request, route: Route, *, pretend: bool = False) -> Reply:
        """Carry out a request, or with `pretend` only answer as if; raises ApiError."""
        if route.endpoint == "health":
            return self._json(request, b'{"status":"ok"}\n')
        key = self._authorization.admit(request.headers.get("authorization", ""), route.level)
        if route.endpoint == "list":
            rows = [row.rendered(self._generation) for row in tuple(key.user.keys.values())]
            return self._json(request, b"[" + b",".join(rows) + b"]\n")
        if route.endpoint == "stats":
            return self._stats(request, key.user)
        if route.endpoint == "create":
            return self._create(request, key.user, pretend=pretend)
        if route.endpoint == "revoke":
            return self._revoke(key.user, route.parameter, pretend=pretend)
        if route.endpoint == "export":
            return self._export(request, key.user)
        if route.endpoint == "viewer":
            return self._json(request, self._viewer.answer(key, request.target))
        raise not_found()

    def _json(self, request: Request, body: bytes) -> Reply:
        return Reply(body=json_indented(body) if wants_pretty(request) else body)

    def _stats(self, request: Request, user: User) -> Reply:
        size, pins = user.holdings.stats(self._generation)
        if size > _LARGEST_INT:
            raise unforeseen(f'strconv.ParseInt: parsing "{size}": value out of range')
        return self._json(request, b'{"totalSize":%d,"numPins":%d}\n' % (size, pins))

    def _create(self, request: Request, user: User, *, pretend: bool) -> Reply:
        values = query_values(request.query)
        expiry = self._wall() + _lifetime(values.get("expiry", b""))
        upload_only = _upload_only(values.get("perms", b""))
        label = values.get("label", b"") if self._generation.hashed_keys else b""
        if objection := postgres_objection(label):
            raise unforeseen(objection)
        # The answer has nanoseconds, PostgreSQL keeps microseconds.
        stored = expiry // 1000 * 1000
        token = f"EST{uuid.uuid4()}ARY"
        key = Key(user, token, label.decode(), stored, upload_only=upload_only)
        if not pretend:
            self._state.add_key(key)
        return self._json(request, key_json(key, self._generation, token, expiry) + b"\n")

    def _revoke(self, user: User, parameter: bytes, *, pretend: bool) -> Reply:
        if objection := postgres_objection(parameter):
            raise unforeseen(objection)
        key = self._state.listed_as(parameter.decode(), self._generation)
        if key is not None and key.user is user and not pretend:
            self._state.remove_key(key)
        return Reply()

    def _export(self, request: Request, user: User) -> Reply:
        if self.truncate_exports and user.holdings.contents > LARGEST_EXPORT:
            raise unforeseen("extended protocol limited to 65535 parameters")
        pretty = wants_pretty(request)
        pieces = export_body(user, self._generation, self._wall(), pretty=pretty)
        return Reply(body=_settled(pieces))


def wants_pretty(request: Request) -> bool:
    """Whether echo would indent: `?pretty`, with any value."""
    return "pretty" in request.query and "pretty" in query_values(request.query)


def _settled(pieces: Iterator[bytes]) -> bytes | Iterator[bytes]:
    start = b""
    for piece in pieces:
        start += piece
        if len(start) > _GATHER:
            return chain([start], pieces)
    return start


def _lifetime(expiry: bytes) -> int:
    if not expiry:
        return DEFAULT_LIFETIME
    if expiry == b"false":
        return PERMANENT
    try:
        return parse_duration(expiry)
    except DurationError as error:
        raise unforeseen(str(error)) from None


def _upload_only(perms: bytes) -> bool:
    if b"," in perms:
        raise unforeseen("invalid perms")
    if perms not in {b"", b"all", b"upload"}:
        quoted = perms.decode("utf-8", "replace").replace("\\", "\\\\").replace('"', '\\"')
        raise unforeseen(f'invalid perm: "{quoted}"')
    return perms == b"upload"
