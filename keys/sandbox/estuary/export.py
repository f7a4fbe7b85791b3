"""GET /user/export: one JSON object, made as a stream in constant memory.

Values are filled into blocks that are rendered once, so that the node makes hundreds of megabytes
a second and a benchmark measures the reader, not the node.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from itertools import chain

from keys.sandbox.estuary.contents import size_of
from keys.sandbox.estuary.generations import Generation
from keys.sandbox.estuary.records import (
    Fields,
    content_fields,
    deal_fields,
    recipe_name,
    recipe_row,
    row_fields,
)
from keys.sandbox.estuary.state import User
from keys.sandbox.wire.golang import rfc3339

_BLOCK = 240  # records rendered at once: about 100 KB; a multiple of every cycle in the recipe
_LETTERS = "abcdefghijkmnopq"  # no l: valid in the base32 and the base58 of CIDs
_MARKS = [
    f"{index:03x}".translate(dict(zip(b"0123456789abcdef", _LETTERS, strict=True))).encode()
    for index in range(4096)
]
_V0 = "QmbBAu5aJVLXuoXL9hvxswhFn4DTq54TaHeX67du"
_V1 = "bafybeibqdmi6sae6nv6vrcfks6ro54cm47rvixxnlqwclg7t7ol"

_Write = Callable[[list[Fields]], str]
_Values = Callable[[int], tuple[object, ...]]


def export_body(user: User, generation: Generation, now: int, *, pretty: bool) -> Iterator[bytes]:
    """The body in pieces, most of about 100 KB; `now` in nanoseconds since 1970."""
    write: _Write = _pretty if pretty else _compact
    gap, line, end = (" ", "\n    ", "\n  }\n}\n") if pretty else ("", "", "}}\n")
    inner = "\n  " if pretty else ""
    head = f'{{{inner}"Version":{gap}"v0.0.1",{inner}"Date":{gap}"{rfc3339(now)}",{inner}'
    yield f'{head}"Version1":{gap}{{{line}"Contents":{gap}['.encode()
    yield from _listed(_contents(user, generation, write), line)
    yield f',{line}"Deals":{gap}['.encode()
    yield from _listed(_deals(user, generation, write), line)
    yield end.encode()


def _listed(blocks: Iterator[bytes], line: str) -> Iterator[bytes]:
    empty = True
    for block in blocks:
        yield block if empty else b"," + block
        empty = False
    yield b"]" if empty else f"{line}]".encode()


def _contents(user: User, generation: Generation, write: _Write) -> Iterator[bytes]:
    first = user.first_content
    if rows := user.holdings.rows:
        shown = [
            row_fields(user, first + at, row) for at, row in enumerate(rows) if not row.deleted
        ]
        return iter([write([generation.known(fields) for fields in shown]).encode()] * bool(shown))

    def values(index: int) -> tuple[object, ...]:
        return (
            first + index,
            _MARKS[index >> 12 & 4095],
            _MARKS[index & 4095],
            index,
            size_of(index),
        )

    block = [
        content_fields(
            user,
            position,
            recipe_row(position),
            id="%d",
            cid=f'"{_V0}%b%b"' if position % 3 == 0 else f'"{_V1}%b%be"',
            name=recipe_name("%d", position),
            size="%d",
        )
        for position in range(_BLOCK)
    ]
    return _patched([generation.known(f) for f in block], user.holdings.contents, values, write)


def _deals(user: User, generation: Generation, write: _Write) -> Iterator[bytes]:
    first, contents = user.first_content, user.holdings.contents

    def values(index: int) -> tuple[object, ...]:
        marks = _MARKS[index >> 12 & 4095], _MARKS[index & 4095]
        return first + index, first + index % contents, *marks, index, 1000 + index % 900, index

    block = [
        deal_fields(
            user,
            position,
            id="%d",
            content="%d",
            prop_cid=f'"{_V1}%b%be"',
            uuid='"00000000-0000-4000-8000-%012x"',
            miner='"f0%d"',
            deal="9%06d",
        )
        for position in range(_BLOCK)
    ]
    return _patched([generation.known(f) for f in block], user.holdings.deals, values, write)


def _patched(block: list[Fields], count: int, values: _Values, write: _Write) -> Iterator[bytes]:
    whole = write(block).encode()
    for start in range(0, count, _BLOCK):
        size = min(_BLOCK, count - start)
        template = whole if size == _BLOCK else write(block[:size]).encode()
        yield template % tuple(chain.from_iterable(map(values, range(start, start + size))))


def _compact(records: list[Fields]) -> str:
    return ",".join(
        "{" + ",".join(f'"{name}":{value}' for name, value in record.items()) + "}"
        for record in records
    )


def _pretty(records: list[Fields]) -> str:
    texts = (
        ",\n".join(f'        "{name}": {value}' for name, value in record.items())
        for record in records
    )
    return ",".join(f"\n      {{\n{text}\n      }}" for text in texts)
