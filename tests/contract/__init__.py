"""The answers of Estuary's own handlers, recorded on PostgreSQL, for client and sandbox.

A case has name, variant, setup, request and response (or request_raw and response_raw, or a
measured `derived`), and often effect. `{TOKEN}` and the like are placeholders for what the setup
made. Sign-in and registration are not recorded.
"""

from __future__ import annotations

import json
from functools import cache
from pathlib import Path
from typing import Any

VARIANTS = ("current", "legacy", "vintage")

_FILE = Path(__file__).with_name("contract.json")


def load_cases(
    variant: str | None = None, names: str = "", *, with_odd_databases: bool = False
) -> list[dict[str, Any]]:
    """The recorded cases in their order: of one variant, with names that begin with `names`.

    `with_odd_databases` adds the answers of broken databases and of SQLite, which the client must
    cope with and the sandbox does not repeat.
    """
    return [
        case
        for case in _all_cases()
        if variant in {None, case["variant"]}
        and case["name"].startswith(names)
        and (with_odd_databases or not _is_odd(case))
    ]


def _is_odd(case: dict[str, Any]) -> bool:
    return case["name"].startswith("db:") or "postgres" not in case["backends"]


@cache
def _all_cases() -> list[dict[str, Any]]:
    cases: list[dict[str, Any]] = json.loads(_FILE.read_text(encoding="utf-8"))
    return cases
