"""A list that is checked as a whole gives what its rows give one by one."""

from __future__ import annotations

import json
from typing import Any

import pytest

from keys.upstream import schemas
from keys.upstream.schemas import Listing, key_of, read_keys
from tests.keys.upstream.conftest import EXPIRY, OLD_ROW, ROW, TOKEN

GOOD = [
    {"token": "", "tokenHash": f"{number:043}", "label": f"key {number}", "expiry": EXPIRY}
    for number in range(200)
]
ODD: list[dict[str, Any]] = [
    OLD_ROW,
    ROW | {"tokenHash": ""},
    ROW | {"tokenHash": "A" * 42},
    ROW | {"tokenHash": "A" * 44},
    ROW | {"tokenHash": "A" * 42 + "é"},
    ROW | {"tokenHash": "A" * 42 + "\0"},
    ROW | {"tokenHash": "A" * 42 + "="},
    ROW | {"token": "x"},
    ROW | {"expiry": "0001-01-01T00:00:00Z"},
    ROW | {"expiry": "9999-12-31T00:00:00Z"},
    ROW | {"expiry": "2026-11-24T12:00:00+05:30"},
    ROW | {"label": "a" * 10_000},
    ROW | {"label": f"of {TOKEN}"},
    GOOD[7],
    GOOD[7] | {"label": "another of the same hash"},
]


def read(rows: list[dict[str, Any]]) -> Listing:
    found = read_keys(json.dumps(rows).encode())
    assert isinstance(found, Listing)
    return found


def one_by_one(rows: list[dict[str, Any]]) -> tuple[list[Any], int]:
    keys = [key_of(schemas._row_decoder.decode(json.dumps(row))) for row in rows]
    first = {key.token_hash: key for key in reversed(keys) if key}
    return list(first.values())[::-1], keys.count(None)


def test_rows_of_a_current_node_are_all_read() -> None:
    found = read(GOOD)

    assert [key.label for key in found.keys.keys] == [row["label"] for row in GOOD]
    assert found.keys.unreadable == 0


@pytest.mark.parametrize("place", [0, 100, 200])
@pytest.mark.parametrize("odd", ODD)
def test_one_row_of_another_kind_does_not_affect_the_others(
    odd: dict[str, Any], place: int
) -> None:
    rows = [*GOOD[:place], odd, *GOOD[place:]]
    keys, unreadable = one_by_one(rows)

    found = read(rows).keys

    assert sorted(found.keys, key=str) == sorted(keys, key=str)
    assert found.unreadable == unreadable


def test_an_empty_list_has_no_keys() -> None:
    assert read([]).keys.keys == ()


@pytest.mark.parametrize("row", [ROW, OLD_ROW])
def test_a_token_in_a_label_is_redacted(row: dict[str, Any]) -> None:
    [key] = read([row | {"label": f"of {TOKEN}, do not lose"}]).keys.keys

    assert key.label == "of EST…, do not lose"


def test_a_new_key_whose_end_has_no_zone_is_not_understood() -> None:
    body = {**ROW, "token": TOKEN, "expiry": "2026-11-24T12:00:00"}

    assert schemas.read_created(json.dumps(body).encode()) == "shape"
