"""Shared by all channels: the ways in which a delivery fails."""

from __future__ import annotations


class DeliveryFailed(Exception):
    """A message did not get through; `reason` is fit for a page and holds no secret."""

    def __init__(self, reason: str, *, is_final: bool = False) -> None:
        self.reason = reason[:200]
        self.is_final = is_final  # trying again cannot help
        super().__init__(self.reason)
