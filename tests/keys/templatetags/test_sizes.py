"""Sizes as people read them, exact beyond what a float can hold."""

from __future__ import annotations

import pytest

from keys.templatetags.formats import binary_size, decimal_size, grouped


@pytest.mark.parametrize(
    ("size", "binary", "decimal"),
    [
        (0, "0 B", "0 B"),
        (999, "999 B", "999 B"),
        (1000, "1000 B", "1.0 kB"),
        (1023, "1023 B", "1.0 kB"),
        (1024, "1.0 KiB", "1.0 kB"),
        (1_048_575, "1,023.9 KiB", "1.0 MB"),
        (84_190, "82.2 KiB", "84.1 kB"),
        (27_021_597_764_222_979, "24.0 PiB", "27.0 PB"),
        (2**63 - 1, "7.9 EiB", "9.2 EB"),
    ],
)
def test_both_kinds_of_units(size: int, binary: str, decimal: str) -> None:
    assert binary_size(size) == binary
    assert decimal_size(size) == decimal


def test_every_byte_is_shown() -> None:
    assert grouped(27_021_597_764_222_979) == "27,021,597,764,222,979"
