"""The records of an export, field by field in the order of the wire."""

from __future__ import annotations

from keys.sandbox.estuary.contents import Content, is_active
from keys.sandbox.estuary.state import User
from keys.sandbox.wire.golang import SECOND, json_string, rfc3339

Fields = dict[str, str]  # name -> JSON text, or a placeholder for it

_NEVER = '"0001-01-01T00:00:00Z"'
_NAMES = ("report.pdf", "Ärger & Übung.txt", "日本語/資料 🗂.zip")
_ORIGINS = '["/ip4/203.0.113.7/tcp/4001/p2p/12D3KooWAbcdefghijklmnopqrstuvwxyzABCDEFGHJKLMNPQRST"]'
_APART = 61 * SECOND + 17_000
_HOUR, _DAY = 3600 * SECOND, 86_400 * SECOND
_FAILS = 20  # one in so many deals failed


def recipe_row(position: int) -> Content:
    """The fields of a content that repeat in the recipe."""
    return Content(0, origins=_ORIGINS, active=is_active(position), kind=position % len(_NAMES))


def recipe_name(index: str, position: int) -> str:
    """The JSON text of a file name of the recipe."""
    return json_string(f"{index}-{_NAMES[position % len(_NAMES)]}")


def _moment(user: User, position: int, shift: int = 0) -> str:
    # Records of one block differ in time; PostgreSQL keeps microseconds.
    moment = user.created + shift - position * _APART
    return f'"{rfc3339(moment // 1000 * 1000)}"'


def _truth(value: bool) -> str:  # noqa: FBT001 - it is the value
    return "true" if value else "false"


def content_fields(
    user: User,
    position: int,
    row: Content,
    *,
    id: str,  # noqa: A002 - the name on the wire
    cid: str,
    name: str,
    size: str,
) -> Fields:
    """A content; id, CID, name and size as JSON texts or placeholders, the rest from `row`."""
    created = _moment(user, position)
    return {
        "id": id,
        "createdAt": created,
        "updatedAt": created,
        "cid": cid,
        "name": name,
        "userId": str(user.id),
        "description": '""',
        "size": size,
        "type": str(row.kind),
        "active": _truth(row.active),
        "offloaded": "false",
        "replication": "6",
        "aggregatedIn": str(row.aggregated_in),
        "aggregate": _truth(row.aggregate),
        "pinning": "false",
        "pinMeta": '"{}"',
        "replace": "false",
        "origins": json_string(row.origins or ""),
        "failed": "false",
        "location": '"local"',
        "dagSplit": "false",
        "splitFrom": "0",
        "pinningStatus": '""',
        "dealStatus": '""',
    }


def row_fields(user: User, id_: int, row: Content) -> Fields:
    """An explicit content; a missing CID shows as the letter b."""
    cid, name = json_string(row.cid or "b"), json_string(row.name or "")
    return content_fields(user, 0, row, id=str(id_), cid=cid, name=name, size=str(row.size))


def deal_fields(
    user: User,
    position: int,
    *,
    id: str,  # noqa: A002 - the name on the wire
    content: str,
    prop_cid: str,
    uuid: str,
    miner: str,
    deal: str,
) -> Fields:
    """A deal; the arguments are JSON text. Names are as on the wire, in three styles."""
    created, failed = _moment(user, position), position % _FAILS == _FAILS - 1
    return {
        "ID": id,
        "CreatedAt": created,
        "UpdatedAt": created,
        "DeletedAt": "null",
        "content": content,
        "user_id": str(user.id),
        "propCid": prop_cid,
        "dealUuid": uuid,
        "miner": miner,
        "dealId": deal,
        "failed": _truth(failed),
        "verified": "true",
        "slashed": "false",
        "failedAt": _moment(user, position, -_DAY) if failed else _NEVER,
        "dtChan": '""',
        "transferStarted": _moment(user, position, -3 * _DAY),
        "transferFinished": _moment(user, position, -3 * _DAY + _HOUR),
        "onChainAt": _NEVER if failed else _moment(user, position, -2 * _DAY),
        "sealedAt": _NEVER if failed else created,
        "deal_protocol_version": '"/fil/storage/mk/1.2.0"',
        "miner_version": '"boost-1.5.1+git.abcdef0"',
    }
