"""Bytes as people read them, exact for any size."""

from __future__ import annotations

from django import template

register = template.Library()

DECIMAL = ["B", "kB", "MB", "GB", "TB", "PB", "EB"]
BINARY = ["B", "KiB", "MiB", "GiB", "TiB", "PiB", "EiB"]


@register.filter
def binary_size(size: int) -> str:
    return _size(size, 1024, BINARY)


@register.filter
def decimal_size(size: int) -> str:
    return _size(size, 1000, DECIMAL)


@register.filter
def grouped(number: int) -> str:
    return f"{number:,}"


def _size(size: int, step: int, units: list[str]) -> str:
    power = 0
    while power < len(units) - 1 and size >= step ** (power + 1):
        power += 1
    # Integer arithmetic: a float would falsify sizes beyond 2**53.
    tenths = size * 10 // step**power
    return f"{size} B" if power == 0 else f"{tenths // 10:,}.{tenths % 10} {units[power]}"
