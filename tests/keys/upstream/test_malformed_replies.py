"""Replies that differ from what Estuary sends."""

from __future__ import annotations

from typing import Any

import pytest

from keys.upstream import UnexpectedReply, hash_of
from tests.keys.upstream.conftest import (
    CREATED,
    EXPIRY,
    OLD_ROW,
    OLD_TOKEN,
    ROW,
    SPEC,
    STATS,
    TOKEN_HASH,
    NodeFactory,
    client_of,
)
from tests.keys.upstream.server import json_reply, reply

OTHER = {"token": "", "tokenHash": "A" * 43, "label": "other", "expiry": EXPIRY}


def without(row: dict[str, Any], name: str) -> dict[str, Any]:
    return {key: value for key, value in row.items() if key != name}


@pytest.mark.parametrize(
    ("row", "label", "is_session"),
    [
        (ROW | {"extra": {"deep": [None]}, "id": 7}, "ci", False),
        (dict(reversed(ROW.items())), "ci", False),
        (without(ROW, "label"), "", False),
        (without(ROW, "isSession"), "ci", False),
        (without(ROW, "token"), "ci", False),
        (ROW | {"isSession": True, "label": "<b>\n"}, "<b>\n", True),
    ],
)
def test_extra_missing_and_reordered_fields_do_no_harm(
    node: NodeFactory, row: dict[str, Any], label: str, is_session: bool
) -> None:
    (key,) = client_of(node(json_reply([row]))).list_keys().keys

    assert (key.label, key.is_session) == (label, is_session)


BAD_ROWS: list[Any] = [
    None,
    7,
    "row",
    [],
    {},
    without(ROW, "tokenHash"),
    without(ROW, "expiry"),
    ROW | {"token": None},
    ROW | {"token": 7},
    ROW | {"token": "nonsense"},
    ROW | {"token": "EST/../x?ARY"},
    ROW | {"token": OLD_TOKEN},  # with the hash of another
    ROW | {"tokenHash": None},
    ROW | {"tokenHash": ""},
    ROW | {"tokenHash": "short"},
    ROW | {"tokenHash": "A" * 42 + "="},
    ROW | {"tokenHash": "A" * 43 + "\n"},
    ROW | {"label": None},
    ROW | {"label": 7},
    ROW | {"label": ["ci"]},
    ROW | {"isSession": None},
    ROW | {"isSession": 0},
    ROW | {"isSession": "false"},
    ROW | {"expiry": None},
    ROW | {"expiry": 1790000000},
    ROW | {"expiry": "never"},
    ROW | {"expiry": "2026-12-24"},
    ROW | {"expiry": "2026-12-24T18:13:56"},  # of no zone
    ROW | {"expiry": "2026-12-24T18:13:56Z\n"},
    ROW | {"expiry": "2026-13-24T18:13:56Z"},
    ROW | {"expiry": "9999-12-31T23:59:59-12:00"},
    ROW | {"expiry": "0001-01-01T00:00:00+12:00"},
]


@pytest.mark.parametrize("row", BAD_ROWS, ids=str)
def test_one_malformed_key_is_counted_and_hides_no_other(node: NodeFactory, row: Any) -> None:
    found = client_of(node(json_reply([row, OTHER]))).list_keys()

    assert [key.label for key in found.keys] == ["other"]
    assert found.unreadable == 1


def test_a_missing_key_is_not_called_gone_while_a_row_is_unreadable(node: NodeFactory) -> None:
    estuary = node(json_reply([None, OTHER]), json_reply([None, OTHER]))
    client = client_of(estuary)

    with pytest.raises(UnexpectedReply, match="Nothing was changed"):
        client.revoke_key(TOKEN_HASH)
    ((_, error),) = client.revoke_keys([TOKEN_HASH])
    assert isinstance(error, UnexpectedReply)
    assert {request.method for request in estuary.requests} == {"GET"}


def test_half_a_character_in_a_label_is_malformed(node: NodeFactory) -> None:
    raw = rb'[{"tokenHash":"%b","expiry":"2026-12-24T18:13:56Z","label":"\ud83d"}]' % (b"A" * 43)

    with pytest.raises(UnexpectedReply):
        client_of(node(reply(200, raw))).list_keys()


@pytest.mark.parametrize("expiry", ["2026-12-24T18:13:56Z", "2319-04-05T00:00:00.123456789-05:00"])
def test_every_time_format_of_estuary_is_read(node: NodeFactory, expiry: str) -> None:
    (key,) = client_of(node(json_reply([ROW | {"expiry": expiry}]))).list_keys().keys

    assert key.expiry.utcoffset() is not None
    assert key.expiry.year == int(expiry[:4])


def test_of_two_rows_with_the_same_hash_the_first_counts(node: NodeFactory) -> None:
    rows = [OLD_ROW, OLD_ROW | {"token": "", "tokenHash": hash_of(OLD_TOKEN), "label": "again"}]
    (key,) = client_of(node(json_reply(rows))).list_keys().keys

    assert key.needs_token


BAD_BODIES = [
    b"",
    b"null",
    b"7",
    b"NaN",
    b'"text"',
    b'{"keys":[]}',
    b"[{]",
    b"[] []",
    b"\xff\xfe[\x00]\x00",
    b'["\xff"]',
    b"[" * 100_000,
    b"[" * 100_000 + b"]" * 100_000,
    b"[" + b"9" * 10_000 + b"]",
    b'[{"expiry":NaN}]',
    b"[null]",
]


@pytest.mark.parametrize("body", BAD_BODIES, ids=lambda body: repr(body[:12]))
@pytest.mark.parametrize("call", ["list_keys", "stats", "create_key"])
def test_a_body_of_another_kind_is_unexpected(node: NodeFactory, body: bytes, call: str) -> None:
    client = client_of(node(reply(200, body)))

    with pytest.raises(UnexpectedReply) as caught:
        client.create_key(SPEC) if call == "create_key" else getattr(client, call)()
    assert caught.value.maybe_carried_out is (call == "create_key")


@pytest.mark.parametrize(
    "kind", ["", "text/plain", "text/html; charset=utf-8", "application/jsonx"]
)
@pytest.mark.parametrize("call", ["list_keys", "stats", "create_key", "open_export"])
def test_a_body_without_the_content_type_of_json_is_unexpected(
    node: NodeFactory, kind: str, call: str
) -> None:
    client = client_of(node(reply(200, b"[]", kind=kind)))

    with pytest.raises(UnexpectedReply):
        client.create_key(SPEC) if call == "create_key" else getattr(client, call)()


@pytest.mark.parametrize("kind", ["application/json", "Application/JSON;charset=utf-8"])
def test_the_content_type_may_be_written_in_any_case(node: NodeFactory, kind: str) -> None:
    assert client_of(node(reply(200, b"[]", kind=kind))).list_keys().keys == ()


@pytest.mark.parametrize("number", [None, True, 1.5, 1e3, -1, "5", 2**63, [], {}])
@pytest.mark.parametrize("name", ["totalSize", "numPins"])
def test_a_number_of_another_type_is_unexpected(node: NodeFactory, name: str, number: Any) -> None:
    with pytest.raises(UnexpectedReply):
        client_of(node(json_reply(STATS | {name: number}))).stats()


@pytest.mark.parametrize("name", ["totalSize", "numPins"])
def test_a_missing_number_is_unexpected(node: NodeFactory, name: str) -> None:
    with pytest.raises(UnexpectedReply):
        client_of(node(json_reply(without(STATS, name)))).stats()


@pytest.mark.parametrize(
    "data",
    [
        without(CREATED, "token"),
        without(CREATED, "expiry"),
        CREATED | {"token": ""},
        CREATED | {"token": "nonsense"},
        CREATED | {"token": None},
        CREATED | {"tokenHash": "A" * 43},
        CREATED | {"tokenHash": None},
        CREATED | {"label": None},
        CREATED | {"expiry": "soon"},
        [CREATED],
    ],
    ids=str,
)
def test_a_created_key_with_an_unusable_answer_may_exist(node: NodeFactory, data: Any) -> None:
    with pytest.raises(UnexpectedReply, match="may have carried it out") as caught:
        client_of(node(json_reply(data))).create_key(SPEC)
    assert caught.value.maybe_carried_out is True
