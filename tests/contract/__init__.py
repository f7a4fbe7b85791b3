"""Requests and replies of three generations of Estuary, recorded from its own handlers."""

from __future__ import annotations

import json
from collections.abc import Container
from functools import cache
from pathlib import Path
from typing import Any

_FILE = Path(__file__).with_name("contract.json")


@cache
def _all() -> list[dict[str, Any]]:
    cases: list[dict[str, Any]] = json.loads(_FILE.read_text(encoding="utf-8"))
    return cases


def load_cases(
    variant: str | None = None, names: Container[str] | None = None
) -> list[dict[str, Any]]:
    """The recorded cases, of one variant (current, legacy, vintage) or with these names only."""
    return [
        case
        for case in _all()
        if variant in (None, case["variant"]) and (names is None or case["name"] in names)
    ]
