"""The functions that behave as Go's, checked against what Go does."""

from __future__ import annotations

import pytest

from keys.sandbox.estuary.errors import postgres_objection
from keys.sandbox.wire.goduration import DurationError, parse_duration
from keys.sandbox.wire.golang import (
    json_string,
    query_values,
    rfc3339,
    routed_path,
    time_string,
)

HOUR = 3_600_000_000_000


@pytest.mark.parametrize(
    ("text", "nanoseconds"),
    [
        ("0", 0),
        ("-0", 0),
        ("1h30m", HOUR * 3 // 2),
        ("1.5h", HOUR * 3 // 2),
        (".5h", HOUR // 2),
        ("-5h", -5 * HOUR),
        ("+1h", HOUR),
        ("1.s", 1_000_000_000),
        ("0.100000000000000000000h", HOUR // 10),
        ("5µs", 5_000),
        ("2562047h47m16.854775807s", 2**63 - 1),
        ("-9223372036854775808ns", -(2**63)),
    ],
)
def test_durations_are_read(text: str, nanoseconds: int) -> None:
    assert parse_duration(text.encode()) == nanoseconds


@pytest.mark.parametrize(
    ("text", "error"),
    [
        ("", 'time: invalid duration ""'),
        ("+", 'time: invalid duration "+"'),
        (".", 'time: invalid duration "."'),
        ("3", 'time: missing unit in duration "3"'),
        ("30d", 'time: unknown unit "d" in duration "30d"'),
        ("1h 2m", 'time: unknown unit "h " in duration "1h 2m"'),
        ("1h-2m", 'time: unknown unit "h-" in duration "1h-2m"'),
        ("9223372036854775808ns", 'time: invalid duration "9223372036854775808ns"'),
        ("9" * 5000 + "h", f'time: invalid duration "{"9" * 5000}h"'),
        ("2562047h48m", 'time: invalid duration "2562047h48m"'),
        ('1"\\é\n', r'time: unknown unit "\"\\\xc3\xa9\x0a" in duration "1\"\\\xc3\xa9\x0a"'),
    ],
)
def test_wrong_durations_get_the_errors_of_go(text: str, error: str) -> None:
    with pytest.raises(DurationError) as refusal:
        parse_duration(text.encode())

    assert str(refusal.value) == error


@pytest.mark.parametrize(
    ("query", "values"),
    [
        ("a=1&a=2&b", {"a": b"1", "b": b""}),
        ("label=a+b%2B", {"label": b"a b+"}),
        ("label=a;b&perms=all", {"perms": b"all"}),
        ("label=100%&perms=all", {"perms": b"all"}),
        ("label=%FF&&=x", {"label": b"\xff", "": b"x"}),
    ],
)
def test_queries_drop_what_go_cannot_read(query: str, values: dict[str, bytes]) -> None:
    assert query_values(query) == values


@pytest.mark.parametrize(
    ("raw", "routed"),
    [
        ("/a%20b", b"/a b"),
        ("/a%00b%FF", b"/a\x00b\xff"),
        ("/%45ST", b"/%45ST"),
        ("/a%2Fb", b"/a%2Fb"),
        ("/a%ffb", b"/a%ffb"),
        ("/x'%20y", b"/x'%20y"),
    ],
)
def test_paths_are_decoded_only_when_nothing_is_lost(raw: str, routed: bytes) -> None:
    assert routed_path(raw) == routed


def test_json_strings_are_escaped_for_html_and_without_short_forms() -> None:
    assert (
        json_string("<a>&\b\f\n\u2028é\x7f")
        == r'"\u003ca\u003e\u0026\u0008\u000c\n\u2028é' + '\x7f"'
    )


@pytest.mark.parametrize(
    ("nanoseconds", "text"),
    [
        (0, "1970-01-01T00:00:00Z"),
        (1_080_000_000, "1970-01-01T00:00:01.08Z"),
        (-1, "1969-12-31T23:59:59.999999999Z"),
        (-62_135_596_800_000_000_000, "0001-01-01T00:00:00Z"),
    ],
)
def test_times_have_the_digits_they_need(nanoseconds: int, text: str) -> None:
    assert rfc3339(nanoseconds) == text
    assert time_string(nanoseconds) == text.replace("T", " ").replace("Z", " +0000 UTC")


@pytest.mark.parametrize(
    ("value", "shown"),
    [
        (b"fine \xc3\xa9", ""),
        (b"a\x00\xff", "0x00"),
        (b"a\xff\x00", "0xff"),
        (b"\xe9AR", "0xe9 0x41 0x52"),
        (b"\xc3", "0xc3"),
        (b"\xf0\x9f\x94x", "0xf0 0x9f 0x94 0x78"),
    ],
)
def test_postgres_names_the_bytes_it_cannot_store(value: bytes, shown: str) -> None:
    assert (shown and f": {shown} (" in postgres_objection(value)) or not postgres_objection(value)
    assert bool(postgres_objection(value)) is bool(shown)
