"""The three generations of Estuary that the sandbox can be, as one table of their differences."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Generation:
    """How one generation of the API differs; dates are those of the recorded source commits.

    `version` is the X-Appversion header ("" for none), `cache_seconds` how long an accepted
    token stays accepted, `rate_limited` whether there is a limiter at all.
    """

    name: str
    version: str
    hashed_keys: bool  # list rows carry hash, label and isSession; tokens are told once
    nested_errors: bool  # `error` is an object, and 401 and 403 mean what they usually do
    strips_slash: bool
    tells_allow: bool  # 405 comes with an Allow header
    rate_limited: bool
    cache_seconds: float

    lacks: frozenset[str] = frozenset()  # fields of export records that came later

    def known(self, fields: dict[str, str]) -> dict[str, str]:
        """An export record with the fields this generation has."""
        return {name: text for name, text in fields.items() if name not in self.lacks}


_AFTER_LEGACY = frozenset({"createdAt", "pinningStatus", "dealStatus"})
_AFTER_VINTAGE = frozenset(
    {"replace", "origins", "user_id", "slashed", "deal_protocol_version", "miner_version"}
)
_ALL = (
    Generation(
        name="current",  # May 2023, v0.4.x
        version="v0.4.3-11-g38ab6230",
        hashed_keys=True,
        nested_errors=True,
        strips_slash=True,
        tells_allow=True,
        rate_limited=True,
        cache_seconds=10.0,
    ),
    Generation(
        name="legacy",  # October 2022, v0.1.1 to v0.1.10
        version="v0.1.10-22-g4888b424",
        hashed_keys=False,
        nested_errors=True,
        strips_slash=False,
        tells_allow=False,
        rate_limited=False,
        cache_seconds=0.0,
        lacks=_AFTER_LEGACY,
    ),
    Generation(
        name="vintage",  # 13 May 2022, before v0.1.1
        version="",
        hashed_keys=False,
        nested_errors=False,
        strips_slash=False,
        tells_allow=False,
        rate_limited=False,
        cache_seconds=0.0,
        lacks=_AFTER_LEGACY | _AFTER_VINTAGE,
    ),
)
GENERATIONS = {generation.name: generation for generation in _ALL}
