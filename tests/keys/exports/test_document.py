"""An export is read to its end in blocks; whatever is cut or malformed is found."""

from __future__ import annotations

import json
from typing import Any

import msgspec
import pytest

from keys.exports import document
from keys.exports.document import Document, Malformed
from keys.exports.forms_of_export import count_records

DECODE = msgspec.json.Decoder(list[dict[str, Any]]).decode

#: Strings that look like ends of records, nested arrays, and records of very different lengths.
CONTENTS: list[dict[str, Any]] = [
    {"id": 1, "name": 'a},{"b]', "pinMeta": '[{"a":1},{"b":"\\""}]'},
    {"id": 2, "name": "\\", "inner": [{"a": [{"b": 1}]}, {"c": 2}]},
    {"id": 3, "name": "日本語 🗂", "long": "x" * 500},
    {"id": 4, "origins": '["/ip4/203.0.113.7"]', "none": None, "empty": {}},
]
DEALS = [{"ID": number, "miner": f"f0{number}"} for number in range(5)]


def text(contents: Any = CONTENTS, deals: Any = DEALS, **more: Any) -> bytes:
    inner = {"Contents": contents, "Deals": deals}
    whole = {"Version": "v0.0.1", "Date": "2026-11-28T10:00:00Z", "Version1": inner, **more}
    return json.dumps(whole, ensure_ascii=False, separators=(",", ":")).encode()


def read(data: bytes, step: int = 1 << 20) -> tuple[Document, dict[str, list[Any]]]:
    pieces = [data[at : at + step] for at in range(0, len(data), step)]
    found: dict[str, list[Any]] = {"Contents": [], "Deals": []}
    whole = Document(pieces, dict.fromkeys(found, DECODE))
    for name, block in whole:
        found[name] += block
    return whole, found


@pytest.mark.parametrize("step", [1, 2, 3, 7, 64, 500, 10_000])
def test_every_record_is_read_whatever_the_pieces(step: int) -> None:
    whole, found = read(text(), step)

    assert found == {"Contents": CONTENTS, "Deals": DEALS}
    assert (whole.version, whole.date) == ("v0.0.1", "2026-11-28T10:00:00Z")


@pytest.mark.parametrize("step", [1, 33, 10_000])
def test_white_space_between_everything_changes_nothing(step: int) -> None:
    spaced = json.dumps(json.loads(text()), indent=3).replace("\n", "\r\n\t").encode() + b"\n"

    assert read(spaced, step)[1] == {"Contents": CONTENTS, "Deals": DEALS}


@pytest.mark.parametrize("nothing", [[], None])
def test_an_empty_account_has_no_records(nothing: Any) -> None:
    assert read(text(nothing, nothing))[1] == {"Contents": [], "Deals": []}


def test_members_that_a_later_estuary_adds_are_passed_over() -> None:
    data = text(Later={"a": [1, {"b": "}]}"}]}, Number=12.5, Long="y" * 20_000)

    assert read(data, 900)[1]["Deals"] == DEALS


@pytest.mark.parametrize("step", [1, 2, 3, 5])
def test_a_number_may_be_cut_between_two_pieces(step: int) -> None:
    assert read(text(First=-1200.25, Second=[1.5e-7, 3], Third=1e30), step)[1]["Deals"] == DEALS


def test_every_cut_is_found() -> None:
    data = text(CONTENTS[:2], DEALS[:2])

    for length in range(len(data)):
        with pytest.raises(Malformed) as caught:
            read(data[:length], 50)
        assert caught.value.problem == "cut"


@pytest.mark.parametrize(
    "data",
    [
        text() + b"x",
        text() + b"{}",
        text().replace(b'"id":2', b'"id":02'),
        text().replace(b'"id":3', b'"id":3,'),
        text().replace(b'"miner":"f01"', b'"miner":"f0\x01"'),
        text().replace(b"},{", b"}{"),
        text().replace(b'],"Deals"', b',],"Deals"'),
        text().replace(b'"Version1":', b'"Version1"'),
        text().replace(b'"Version1"', b"1"),
        text([1, 2]),
        text("none"),
        text([None]),
        text(None).replace(b"null", b"nan"),
        b'{"Version":"v0.0.1","Version1":{}}',
        b'{"Version":"v0.0.1","Date":"' + b"x" * 20_000 + b'","Version1":{}}',
    ],
)
def test_what_is_no_export_is_refused(data: bytes, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(document, "MAX_RECORD_BYTES", 4000)
    with pytest.raises(Malformed):
        read(data, 100)


@pytest.mark.parametrize("gone", ["Version", "Version1", "Contents", "Deals"])
def test_an_export_without_its_parts_is_refused(gone: str) -> None:
    whole = json.loads(text())
    (whole if gone in whole else whole["Version1"]).pop(gone)

    with pytest.raises(Malformed, match="shape"):
        read(json.dumps(whole).encode())


def test_a_record_without_end_does_not_fill_the_memory(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(document, "MAX_RECORD_BYTES", 10_000)
    taken = 0

    def pieces() -> Any:
        nonlocal taken
        yield b'{"Version":"v0.0.1","Version1":{"Contents":[{"name":"'
        while True:
            taken += 1
            yield b"x" * 1000

    with pytest.raises(Malformed):
        list(Document(pieces(), {"Contents": DECODE, "Deals": DECODE}))

    assert taken < 20


@pytest.mark.parametrize(
    "record",
    [b'{"id":1,"name":"\xff\xfe"}', b'{"id":1,"x":' + b"[" * 5000 + b"]" * 5000 + b"}",
     b'{"id":NaN}', b'{"id":1,"name":"a\nb"}', b'{"id":1,"name":"\\ud800"}', b'{"id":1},'],
)  # fmt: skip
def test_a_malformed_record_is_found_and_not_taken_for_a_cut(record: bytes) -> None:
    data = b'{"Version":"v","Version1":{"Deals":[],"Contents":[%b]}}' % record

    with pytest.raises(Malformed, match="json"):
        for _ in Document([data], {"Contents": count_records, "Deals": count_records}):
            pass


def test_a_value_nested_without_end_is_malformed() -> None:
    nested = b"[" * 100_000 + b"]" * 100_000

    with pytest.raises(Malformed, match="json"):
        read(b'{"Version":"v","more":%b,"Version1":{"Contents":[],"Deals":[]}}' % nested)


@pytest.mark.parametrize(
    "data",
    [
        b'{"Version":"v","Version1":{"Contents":[{"id":1}],"Contents":[{"id":2}],"Deals":[]}}',
        b'{"Version":"v","Version1":{"Contents":[{"id":1}],"Deals":[],"Deals":null}}',
        b'{"Version":"v","Version1":{"Contents":[]},"Version1":{"Deals":[]}}',
        b'{"Version":"v","Version1":{"Contents":[],"Deals":[]},"Version":"w"}',
        b'{"Version":"v","Version1":{"Contents":[],"Deals":[]},"\\u0056ersion":"w"}',
    ],
)
def test_a_part_that_is_there_twice_is_refused(data: bytes) -> None:
    """It would be counted twice, and other programs would read the last one alone."""
    with pytest.raises(Malformed, match="shape"):
        read(data)


def test_names_that_a_later_estuary_uses_within_the_parts_are_no_repetition() -> None:
    data = b'{"Version":"v","Date":"d","Version1":{"Date":5,"Contents":[],"Deals":[]}}'

    assert read(data)[0].date == "d"


@pytest.mark.parametrize("value", [b"NaN", b"[1,-Infinity]", b'{"a":Infinity}'])
def test_numbers_that_json_does_not_have_are_refused(value: bytes) -> None:
    with pytest.raises(Malformed, match="json"):
        read(b'{"Version":"v","x":%b,"Version1":{"Contents":[],"Deals":[]}}' % value)


def test_a_very_long_number_is_json() -> None:
    number = b"1" * 10_000

    data = b'{"Version":"v","x":%b,"Version1":{"Contents":[],"Deals":[]}}' % number
    assert read(data, 999)[0].version == "v"


@pytest.mark.parametrize(
    "value", [rb'"\ud800"', rb'"a\u0000b"', rb'"\u202e"', b"5", b"true", b'{"a":1}', b"null"]
)
@pytest.mark.parametrize("name", [b"Version", b"Date"])
def test_a_version_or_date_that_is_no_readable_text_is_refused(name: bytes, value: bytes) -> None:
    data = b'{"Version":"v","Version1":{"Contents":[],"Deals":[]}}'
    data = data.replace(b'"Version":"v"', b'"%b":%b' % (name, value))

    with pytest.raises(Malformed, match="shape"):
        read(data)


@pytest.mark.parametrize("place", [0, 1, 500, 999])
@pytest.mark.parametrize(
    "fault",
    [b'{"id":02}', b'{"id":1},5', b'{"id":1,}', b'{"id":1}{"id":2}', b'{"id":1},', b'{"id"}',
     b'{"id":nan}', b'{"a":"\xff"}', b'{"a":"\\x"}', b'{"a":' + b"[" * 3000, b'"a}', b"[{}]"],
)  # fmt: skip
def test_a_fault_is_found_where_it_is(place: int, fault: bytes) -> None:
    """Without reading on, which would cost seconds for each malformed export."""
    records = [b'{"id":1,"name":"x"}'] * 1000
    records[place] = fault
    data = b'{"Version":"v","Version1":{"Contents":[' + b",".join(records)
    taken = 0

    def pieces() -> Any:
        nonlocal taken
        yield data
        while True:
            taken += 1
            yield b"," + b",".join([b'{"id":1}'] * 1000)

    whole = Document(pieces(), {"Contents": count_records, "Deals": count_records})
    with pytest.raises(Malformed):
        list(whole)

    assert taken < 3
