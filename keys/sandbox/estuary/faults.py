"""Faults: ways in which the node misbehaves on purpose, and which of them are switched on."""

from __future__ import annotations

import threading
from dataclasses import KW_ONLY, asdict, dataclass, fields
from typing import Any

ENDPOINTS = ("list", "create", "revoke", "stats", "export", "viewer", "health", "any")

# The request is carried out, but its answer comes late, changed, or not at all.
CARRIED_OUT = {
    "delay": "the right answer after `seconds`",
    "reset-after": "RST instead of the answer",
    "500-after": "500 instead of the answer",
    "truncated": "the right head, half the body (or `size` bytes), then the connection closes",
    "truncated-json": "a complete answer whose JSON is cut in half (or at `size` bytes)",
    "wrong-type": "the right JSON as text/plain",
    "drip": "head and body one byte every `seconds`",
    "drip-body": "the head at once, the body one byte every `seconds`",
    "null": "200 `null`",
    "object": "200 `{}`",
    "invalid-utf8": "the right answer with a byte that is no UTF-8 in its first string",
    "cut": "a chunked body that breaks off after `size` bytes without its last chunk",
}
# Nothing is carried out.
INSTEAD = {
    "never": "no answer while the client waits",
    "reset-before": "RST",
    "500": "Estuary's own 500",
    "502-html": "502 with HTML, as from a proxy",
    "429": "Estuary's own 429, with Retry-After if `retry_after` is given",
    "html": "200 with HTML",
    "redirect": "302 to `location`",
    "huge": "200 with JSON of `size` bytes",
    "404": "Estuary's own 404",
    "401-unknown": "the answer to an unknown token (403 in vintage)",
    "401-expired": "the answer to an expired token (403 in vintage)",
    "403-upload": "the answer to an upload-only key (401 in vintage)",
    "silent-ok": "200 to a revoke, a made-up key to a create, as if it had been carried out",
}
KINDS = CARRIED_OUT | INSTEAD
_SECONDS = {"delay": 1.0, "drip": 0.05, "drip-body": 0.05}
_HUGE = 100_000_000


@dataclass(frozen=True, slots=True)
class Fault:
    """One way to misbehave: `kind` is a key of KINDS, which says what each does.

    `seconds` is the length of a delay, or the pause between two bytes. `times` is how many
    requests it affects before it clears itself, None for all until it is cleared. `retry_after`
    is in seconds, `size` in bytes. `body` replaces the usual body of the 4xx, 5xx, html and
    redirect kinds. Raises ValueError for a wrong kind.
    """

    kind: str
    _: KW_ONLY
    seconds: float = 0.0
    times: int | None = None
    retry_after: int | None = None
    size: int | None = None
    body: str | None = None
    location: str = "https://elsewhere.example/"

    def __post_init__(self) -> None:
        if self.kind not in KINDS:
            raise ValueError(f"no such fault: {self.kind!r}; there are {', '.join(KINDS)}")
        if not self.seconds:
            object.__setattr__(self, "seconds", _SECONDS.get(self.kind, 0.0))
        if self.kind == "huge" and self.size is None:
            object.__setattr__(self, "size", _HUGE)

    def to_json(self) -> dict[str, Any]:
        """The parameters that are set, for the control path."""
        unset = {None, 0.0} if self.kind == "redirect" else {None, 0.0, self.location}
        return {name: value for name, value in asdict(self).items() if value not in unset}

    @classmethod
    def from_json(cls, data: dict[str, Any]) -> Fault:
        """The reverse; numbers may be text. Raises ValueError with a sentence for people."""
        types = {"seconds": float, "times": int, "retry_after": int, "size": int}
        unknown = data.keys() - {field.name for field in fields(cls)}
        if unknown:
            raise ValueError(f"a fault has no {', '.join(sorted(unknown))}")
        return cls(**{name: types.get(name, str)(value) for name, value in data.items()})


def parse_fault(text: str) -> tuple[str, Fault]:
    """Read `endpoint=kind[:param=value,...]` of the command line; raises ValueError."""
    endpoint, equals, rest = text.partition("=")
    kind, _, params = rest.partition(":")
    if not equals or endpoint not in ENDPOINTS:
        raise ValueError(f"write endpoint=kind with one of {', '.join(ENDPOINTS)}, not {text!r}")
    pairs = (param.partition("=") for param in params.split(",") if param)
    return endpoint, Fault.from_json({"kind": kind, **{name: value for name, _, value in pairs}})


class FaultBook:
    """Which fault is on at which endpoint; safe to change from any thread."""

    def __init__(self) -> None:
        self._on: dict[str, tuple[Fault, int | None]] = {}  # with the number of requests left
        self._lock = threading.Lock()

    def set(self, endpoint: str, fault: Fault) -> None:
        """Switch a fault on, in place of the endpoint's current one; raises ValueError."""
        if endpoint not in ENDPOINTS:
            raise ValueError(f"no such endpoint: {endpoint!r}; there are {', '.join(ENDPOINTS)}")
        with self._lock:
            self._on[endpoint] = (fault, fault.times)

    def clear(self) -> None:
        """Switch all faults off."""
        with self._lock:
            self._on.clear()

    def strike(self, endpoint: str) -> Fault | None:
        """The fault for this request, that of its endpoint before "any"; counts it."""
        if not self._on:
            return None
        with self._lock:
            place = endpoint if endpoint in self._on else "any"
            fault, left = self._on.get(place, (None, None))
            if fault is None or left is None:
                return fault
            if left > 1:
                self._on[place] = (fault, left - 1)
            else:
                del self._on[place]
            return fault

    def to_json(self) -> dict[str, Any]:
        """All faults that are on, by endpoint, with the requests left as `times`."""
        with self._lock:
            on = dict(self._on)
        return {
            endpoint: fault.to_json() | ({"times": left} if left else {})
            for endpoint, (fault, left) in on.items()
        }
