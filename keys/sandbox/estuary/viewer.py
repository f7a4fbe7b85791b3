"""GET /viewer: the calling user, and the settings of the node."""

from __future__ import annotations

from collections.abc import Callable

from keys.sandbox.estuary.generations import Generation
from keys.sandbox.estuary.state import Key
from keys.sandbox.wire.golang import json_string, rfc3339

_LIMITS = (
    '"contentAddingDisabled":false,"dealMakingDisabled":false,'
    '"uploadEndpoints":["http://localhost:3004/content/add"]'
)
_OLD = f'"maxStagingWait":28800000000000,"fileStagingThreshold":3835271577,{_LIMITS}'
_SETTINGS = {
    "current": f'"fileStagingThreshold":1100000000,{_LIMITS},"flags":0',
    "legacy": f'{_OLD},"flags":0',
    "vintage": _OLD,
}


class Viewer:
    """Answers, cached by user and URL but not by key, as in v0.3.7; `clock` in seconds."""

    def __init__(self, generation: Generation, clock: Callable[[], float]) -> None:
        self._generation = generation
        self._clock = clock
        self._cached: dict[tuple[int, str], tuple[float, bytes]] = {}

    def answer(self, key: Key, target: str) -> bytes:
        """The JSON body; another key of the same user may see the expiry of the first."""
        now = self._clock()
        until, body = self._cached.get((key.user.id, target), (now, b""))
        if now >= until:
            body = self._body(key)
            self._cached[key.user.id, target] = (now + self._generation.cache_seconds, body)
        return body

    def _body(self, key: Key) -> bytes:
        name = self._generation.name
        expiry = "AuthExpiry" if name == "vintage" else "auth_expiry"
        return (
            f'{{"username":{json_string(key.user.name)},"perms":{key.user.level},'
            f'"id":{key.user.id},"address":{json_string("<empty>")},'
            f'"{expiry}":"{rfc3339(key.expiry)}","settings":{{"replication":6,"verified":true,'
            f'"dealDuration":1494720,{_SETTINGS[name]}}}}}\n'
        ).encode()
