"""What is told of an identity refused: to the member a sentence, to the operator the fix."""

from __future__ import annotations

from enum import Enum


class Reason(Enum):
    """`NotBelieved` and `NotAdmitted` have them."""

    def __init__(self, code: str, sentence: str, fix: str) -> None:
        self.code, self.sentence, self.fix = code, sentence, fix


class Refused(Exception):
    """The request's identity is not believed, or not admitted."""

    def __init__(self, reason: Reason) -> None:
        super().__init__(reason.code)
        self.reason = reason
