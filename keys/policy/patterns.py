"""Patterns for labels. RE2 matches in linear time, so that no label can hold up a page."""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache
from typing import Any

import re2


class PatternError(ValueError):
    """The text is no regular expression that RE2 takes."""


@dataclass(frozen=True, slots=True)
class LabelPattern:
    """A regular expression that a whole label must match; raises PatternError."""

    pattern: str

    def __post_init__(self) -> None:
        _compiled(self.pattern)

    def fullmatch(self, label: str) -> bool:
        """Whether the whole label matches."""
        try:
            return _compiled(self.pattern).fullmatch(label) is not None
        except UnicodeEncodeError:  # half a surrogate pair
            return False


@lru_cache(maxsize=16)
def _compiled(pattern: str) -> Any:
    options = re2.Options()
    options.log_errors = False
    try:
        return re2.compile(pattern, options)
    except (re2.error, UnicodeEncodeError):
        raise PatternError from None
