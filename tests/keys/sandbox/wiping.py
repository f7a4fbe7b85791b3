"""Replaces what differs from run to run, so that answers can be compared as text."""

from __future__ import annotations

import re

_MADE_UP = (
    (r"\bbafy[a-z2-7]{55}", "<cid 1>"),
    (r"\bQm[1-9A-HJ-NP-Za-km-z]{44}", "<cid 0>"),
    (r"EST[0-9a-f-]{36}ARY", "<token>"),
    (r"(?<![\w-])[\w-]{43}(?![\w-])", "<hash>"),
    # A moment keeps its form; "never" is not made up.
    (r"(?!0001)\d{4}-\d\d-\d\d([T ])\d\d:\d\d:\d\d(\.\d{1,9})?(?=Z| \+)", r"<time\1>"),
    (r"\buser-[0-9a-f]{8}", "<name>"),
    (r"token for user \d+", "token for user <n>"),
    (r'("(?:id|ID|content|userId|user_id|aggregatedIn)": ?)[1-9]\d*', r"\1<n>"),
)


def wiped(text: str) -> str:
    """The text with what is made up replaced by what kind of thing it is."""
    for pattern, kind in _MADE_UP:
        text = re.sub(pattern, kind, text)
    return text
