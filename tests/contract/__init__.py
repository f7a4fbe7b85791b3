<<<<<<< HEAD
"""Requests and replies of three generations of Estuary, recorded from its own handlers."""
=======
"""What Estuary's own handlers answered, recorded on PostgreSQL: one file for client and sandbox.

Left out of the recording: broken databases, sign-in and registration, and what only SQLite does.
A case has name, variant, setup, request and response (or request_raw and response_raw, or a
measured `derived`), and often effect; `{TOKEN}` and the like stand for what the setup made.
"""
>>>>>>> node

from __future__ import annotations

import json
<<<<<<< HEAD
from collections.abc import Container
=======
>>>>>>> node
from functools import cache
from pathlib import Path
from typing import Any

<<<<<<< HEAD
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
=======
VARIANTS = ("current", "legacy", "vintage")

_FILE = Path(__file__).with_name("contract.json")


def load_cases(variant: str | None = None, names: str | None = None) -> list[dict[str, Any]]:
    """The recorded cases in their order, of one variant, with names that begin so."""
    return [
        case
        for case in _all_cases()
        if variant in {None, case["variant"]} and case["name"].startswith(names or "")
    ]


@cache
def _all_cases() -> list[dict[str, Any]]:
    cases: list[dict[str, Any]] = json.loads(_FILE.read_text(encoding="utf-8"))
    return cases
>>>>>>> node
