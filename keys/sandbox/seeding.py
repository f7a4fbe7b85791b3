"""Made-up keys: any number of ordinary ones, or a showcase with one of every kind."""

from __future__ import annotations

import random
import uuid
from datetime import timedelta
from typing import TYPE_CHECKING, Any

from keys.sandbox.estuary.state import User

if TYPE_CHECKING:
    from keys.sandbox.node import Sandbox

_PURPOSES = (
    "ci upload",
    "nightly backup",
    "web uploader",
    "pin checker",
    "archive import",
    "laptop",
)
_PLACES = ("staging", "production", "berlin", "lab 2", "old server", "")
_LIFETIMES = (timedelta(hours=20), timedelta(days=5), timedelta(days=30), timedelta(days=400), None)
_LIVELY, _PAST = 0.8, timedelta(days=-12)  # share of keys that have not expired; when the rest did


def seed_keys(node: Sandbox, user: User, count: int, seed: int = 1) -> list[str]:
    """Add `count` ordinary keys and return their tokens; the same seed makes the same keys."""
    chance = random.Random(seed)  # noqa: S311 - must repeat
    return [
        node.add_key(
            user,
            label=f"{chance.choice(_PURPOSES)} {chance.choice(_PLACES)}".strip(),
            lifetime=chance.choice(_LIFETIMES) if chance.random() < _LIVELY else _PAST,
            permission=chance.choice(("upload", "upload", "all")),
            token=f"EST{uuid.UUID(int=chance.getrandbits(128), version=4)}ARY",
        )
        for _ in range(count)
    ]


def seed_showcase(node: Sandbox, user: User) -> list[str]:
    """Add about thirty keys, at least one of every kind a page has to cope with."""
    return [node.add_key(user, **key) for key in _SHOWCASE]


def _days(days: float) -> timedelta:
    return timedelta(days=days)


_SHOWCASE: tuple[dict[str, Any], ...] = (
    # In use.
    {"label": "ci upload", "lifetime": _days(21), "permission": "upload"},
    {"label": "nightly backup", "lifetime": _days(88), "permission": "upload"},
    {"label": "web uploader production", "lifetime": _days(61), "permission": "upload"},
    {"label": "web uploader staging", "lifetime": _days(60), "permission": "upload"},
    {"label": "stats dashboard", "lifetime": _days(175)},
    {"label": "archive import", "lifetime": _days(9), "permission": "upload"},
    {"label": "data team notebook", "lifetime": _days(29)},
    {"label": "sensor gateway 04", "lifetime": _days(330), "permission": "upload"},
    # Ending soon.
    {"label": "pin checker", "lifetime": _days(6.2)},
    {"label": "partner handover", "lifetime": _days(2.5), "permission": "upload"},
    {"label": "weekend migration", "lifetime": timedelta(hours=9)},
    {"label": "one-off fix", "lifetime": timedelta(minutes=40)},
    # Ended.
    {"label": "conference demo", "lifetime": _days(-3), "permission": "upload"},
    {"label": "old laptop", "lifetime": _days(-95)},
    {"label": "trial", "lifetime": timedelta(0)},
    # Without an end.
    {"label": "video transcoder", "lifetime": None, "permission": "upload"},
    {"label": "disaster recovery", "lifetime": None},
    # Made by Estuary at a sign-in.
    {"label": "on-login", "lifetime": _days(30), "is_session": True},
    {"label": "on-login", "lifetime": _days(11), "is_session": True},
    {"label": "on-register", "lifetime": _days(-200), "is_session": True},
    # Rows of older nodes: no hash and no label; token and hash.
    {"lifetime": None, "era": "legacy"},
    {"lifetime": _days(18), "era": "legacy"},
    {"label": "batch loader", "lifetime": _days(45), "era": "transitional"},
    # Labels to trip over.
    {"label": "", "lifetime": _days(30)},
    {"label": "ci upload", "lifetime": _days(27), "permission": "upload"},
    {
        "label": (
            "a label that somebody used as a notebook, with the ticket, the machine and the " * 3
        )[:180]
    },
    {"label": "نسخ احتياطي ليلي", "lifetime": _days(52), "permission": "upload"},
    {"label": "גיבוי לילי של הצוות", "lifetime": _days(51), "permission": "upload"},
    {"label": "🔑 release robot 🤖", "lifetime": _days(14)},
    {"label": "<b>bold</b> & <script>alert(1)</script>", "lifetime": _days(13)},
    {"label": "\"quoted\" 'label' \\ backslash `tick`", "lifetime": _days(12)},
    {"label": "first line\nsecond line\tafter a tab", "lifetime": _days(10)},
)
