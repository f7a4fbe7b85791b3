"""Authorization by the rules of each generation, and the ten-second cache of accepted tokens."""

from __future__ import annotations

from collections.abc import Callable

from keys.sandbox.estuary.errors import ApiError, postgres_objection, unforeseen
from keys.sandbox.estuary.generations import Generation
from keys.sandbox.estuary.state import USER_LEVEL, Key, State
from keys.sandbox.wire.golang import time_string

_HEADER_FORM = '"Authorization: Bearer ESTxxxxxxxx-xxxx-xxxx-xxxx-xxxxxxxxxxxxARY"'
_MISSING_BEARER = (
    "Unsupported authorization scheme: Bearer is a required prefix. "
    f"The Authorization HTTP Header should be in the format {_HEADER_FORM}."
)
_EMPTY_TOKEN = (
    "Invalid Auth: An Invalid API Key was specified. "
    f"The Authorization HTTP Header should be in the format {_HEADER_FORM}. "
    "You have the Bearer prefix but your API Key is empty or missing."
)
_SHORT = "invalid api key was specified"


class Authorization:
    """Checks tokens against the state; `clock` in seconds, `wall` in nanoseconds since 1970."""

    def __init__(
        self,
        state: State,
        generation: Generation,
        clock: Callable[[], float],
        wall: Callable[[], int],
    ) -> None:
        self._state = state
        self._generation = generation
        self._clock = clock
        self._wall = wall
        self._accepted: dict[str, tuple[float, Key]] = {}  # token -> cached until, key

    def admit(self, header: str, level: int) -> Key:
        """The key of the caller; raises ApiError.

        An accepted token stays accepted for ten seconds from its first acceptance, even when it
        is revoked meanwhile. Its expiry counts exactly (`AuthRequired`, v0.3.7).
        """
        key = self._check(token_in(header, self._generation))
        if key.upload_only and level >= USER_LEVEL:
            raise ApiError(403, "ERR_NOT_AUTHORIZED", "api key is upload only")
        if key.user.level < level:
            raise ApiError(403, "ERR_NOT_AUTHORIZED", "user not authorized")
        return key

    def _check(self, token: str) -> Key:
        now = self._clock()
        until, key = self._accepted.get(token, (0.0, None))
        if key is None or now >= until:
            self._accepted.pop(token, None)
            key, until = self._look_up(token), now + self._generation.cache_seconds
        if key.expiry < self._wall():
            expired = f"token for user {key.user.id} expired {time_string(key.expiry)}"
            raise ApiError(401, "ERR_TOKEN_EXPIRED", expired)
        if until > now:
            self._accepted[token] = (until, key)
        return key

    def _look_up(self, token: str) -> Key:
        raw = token.encode("latin-1")
        if objection := postgres_objection(raw):
            raise unforeseen(objection)
        key = self._state.keys.get(raw.decode())
        if key is None:
            raise ApiError(401, "ERR_INVALID_TOKEN", "api key does not exist")
        if not key.user.exists:
            # "spicified" is Estuary's spelling.
            raise ApiError(401, "ERR_INVALID_TOKEN", "no user exists for the spicified api key")
        return key


def _holds_token_form(header: str) -> bool:
    """Whether `EST.+ARY` matches somewhere, in linear time."""
    return 0 <= header.find("EST") <= header.rfind("ARY") - 4


def token_in(header: str, generation: Generation) -> str:
    """The token in an Authorization header (`ExtractAuth`), split at single spaces."""
    if header in {"", "undefined"}:  # the website sent `undefined` after its cookie was gone
        raise ApiError(401, "ERR_AUTH_MISSING", "no api key was specified")
    parts = header.split(" ")
    current = generation.name == "current"
    bearer = ApiError(401, "ERR_AUTH_MISSING_BEARER", _MISSING_BEARER if current else _SHORT)
    if current and parts[0] != "Bearer":
        raise bearer
    if len(parts) != 2 or (generation.name == "vintage" and not _holds_token_form(header)):
        raise ApiError(401, "ERR_INVALID_AUTH", _EMPTY_TOKEN if current else _SHORT)
    if parts[0] != "Bearer":
        raise bearer
    return parts[1]
