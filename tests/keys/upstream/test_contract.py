"""Recorded replies of Estuary nodes, replayed over a socket.

What to expect is told from the name of a case, not from its reply, so that these tests do not
repeat the code that they test.
"""

from __future__ import annotations

import base64
import hashlib
import json
import re
from datetime import datetime
from typing import Any

import pytest

from keys.upstream import (
    NotPermitted,
    RateLimited,
    Stats,
    TokenExpired,
    TokenRejected,
    TooManyContents,
    UnexpectedReply,
    UploadOnlyToken,
    UpstreamError,
    UpstreamFailed,
)
from tests.contract import load_cases
from tests.keys.upstream.conftest import SPEC, TOKEN_HASH, NodeFactory, client_of
from tests.keys.upstream.server import json_reply, recorded

ROUTES = {
    ("GET", "/user/api-keys"): "list",
    ("POST", "/user/api-keys"): "create",
    ("GET", "/user/stats"): "stats",
    ("GET", "/user/export"): "export",
}


def call_of(case: dict[str, Any]) -> str:
    """Which call of ours could have met this reply; "" when none."""
    request, response = case.get("request", {}), case.get("response", {})
    # Bodies that were too long to record are cut, and where no answer came there is none.
    if response.get("body") is None:
        return ""
    if len(response["body"].encode()) != response["body_bytes"]:
        return ""
    if request["method"] == "DELETE" and request["path"].startswith("/user/api-keys"):
        return "revoke"
    return ROUTES.get((request["method"], request["path"].rstrip("/")), "")


def expected_of(case: dict[str, Any]) -> type[UpstreamError]:
    """The error that a case must lead to, by its name."""
    name, variant, status = case["name"], case["variant"], case["response"]["status"]
    if "rate limit" in name:
        return RateLimited
    if "65,536" in name or "250,001" in name:
        return TooManyContents
    if status == 500:
        return UpstreamFailed
    if status in (400, 404):
        return UnexpectedReply
    if "upload-only" in name:
        # Vintage nodes say no more than ERR_NOT_AUTHORIZED.
        return NotPermitted if variant == "vintage" else UploadOnlyToken
    if "perm 1" in name:
        return NotPermitted
    if "expired token" in name or "key made with" in name:
        return TokenExpired
    return TokenRejected


def cases(call: str, *, ok: bool) -> list[Any]:
    """The recorded replies to a call; of equal replies the first, for what it is expected to mean.

    A DELETE, for example, was answered with the same 200 fifty-five times.
    """
    found: dict[tuple[object, ...], Any] = {}
    for case in load_cases(with_odd_databases=True):
        response = case["response"] if call_of(case) == call else {}
        if response and (response["status"] == 200) == ok:
            meaning = "" if ok else expected_of(case).__name__
            headers = sorted(dict(response["headers"]).items())
            reply = (response["status"], response["body"], str(headers), meaning)
            name = "-".join((case["variant"], *case["backends"], case["name"]))
            found.setdefault(reply, pytest.param(case, id=name))
    return list(found.values())


def body_of(case: dict[str, Any]) -> Any:
    return json.loads(case["response"]["body"])


def own_hash(token: str) -> str:
    return base64.urlsafe_b64encode(hashlib.sha256(token.encode()).digest())[:43].decode()


def moment(text: str) -> datetime:
    return datetime.fromisoformat(re.sub(r"(\.\d{1,6})\d*", r"\1", text))


@pytest.mark.parametrize("case", cases("list", ok=True))
def test_a_list_identifies_every_key_by_its_hash(node: NodeFactory, case: dict[str, Any]) -> None:
    found = client_of(node(recorded(case))).list_keys()

    rows = body_of(case)
    assert found.unreadable == 0
    assert [key.token_hash for key in found.keys] == [
        own_hash(row["token"]) if row["token"] else row["tokenHash"]
        for row in ({"token": "", **row} for row in rows)
    ]
    for key, row in zip(found.keys, rows, strict=True):
        assert key.label == row.get("label", "")
        assert key.expiry == moment(row["expiry"])
        assert key.is_session is row.get("isSession", False)
        assert key.is_legacy is (row["token"] != "")
        assert key.needs_token is (row.get("tokenHash", "") == "")
        assert not (row["token"] and row["token"] in repr(found))


@pytest.mark.parametrize("case", cases("create", ok=True))
def test_a_created_key_holds_what_estuary_answered(node: NodeFactory, case: dict[str, Any]) -> None:
    created = client_of(node(recorded(case))).create_key(SPEC)

    data = body_of(case)
    assert created.token == data["token"]
    assert created.token_hash == own_hash(data["token"])
    assert created.label == data.get("label", "")
    assert created.expiry == moment(data["expiry"])
    assert data["token"] not in repr(created)


@pytest.mark.parametrize("case", cases("stats", ok=True))
def test_stats_hold_both_numbers(node: NodeFactory, case: dict[str, Any]) -> None:
    stats = client_of(node(recorded(case))).stats()

    assert stats == Stats(body_of(case)["totalSize"], body_of(case)["numPins"])


@pytest.mark.parametrize("case", cases("export", ok=True))
def test_an_export_is_passed_on_byte_for_byte(node: NodeFactory, case: dict[str, Any]) -> None:
    with client_of(node(recorded(case))).open_export() as export:
        assert b"".join(export) == case["response"]["body"].encode()


@pytest.mark.parametrize("case", cases("revoke", ok=True))
def test_a_revocation_is_answered_with_200_whether_or_not_it_did_anything(
    node: NodeFactory, case: dict[str, Any]
) -> None:
    row = {"token": "", "tokenHash": TOKEN_HASH, "expiry": "2126-10-31T18:13:57Z"}

    assert client_of(node(json_reply([row]), recorded(case))).revoke_key(TOKEN_HASH) is True


def assert_refused(case: dict[str, Any], error: UpstreamError) -> None:
    assert type(error) is expected_of(case)
    assert str(error) == error.sentence
    assert not any(inside in error.sentence for inside in ("SQLSTATE", "host=", "relation", "ERR_"))


@pytest.mark.parametrize(
    "case", cases("list", ok=False) + cases("stats", ok=False) + cases("export", ok=False)
)
def test_a_refused_read_says_why(node: NodeFactory, case: dict[str, Any]) -> None:
    client = client_of(node(recorded(case)))
    calls = {"list": client.list_keys, "stats": client.stats, "export": client.open_export}

    with pytest.raises(UpstreamError) as caught:
        calls[call_of(case)]()

    assert_refused(case, caught.value)
    assert caught.value.maybe_carried_out is False


@pytest.mark.parametrize("case", cases("create", ok=False) + cases("revoke", ok=False))
def test_a_refused_change_says_why_and_whether_it_may_have_happened(
    node: NodeFactory, case: dict[str, Any]
) -> None:
    row = {"token": "", "tokenHash": TOKEN_HASH, "expiry": "2126-10-31T18:13:57Z"}
    is_create = call_of(case) == "create"
    replies = [recorded(case)] if is_create else [json_reply([row]), recorded(case)]
    client = client_of(node(*replies))

    with pytest.raises(UpstreamError) as caught:
        client.create_key(SPEC) if is_create else client.revoke_key(TOKEN_HASH)

    assert_refused(case, caught.value)
    is_statement_of_estuary = case["response"]["body"].startswith("{")
    may_be = case["response"]["status"] >= 500 or not is_statement_of_estuary
    assert caught.value.maybe_carried_out is may_be
    assert ("Nothing was changed" in caught.value.sentence) is not may_be


def test_every_call_has_recorded_replies() -> None:
    counts = {call: len(cases(call, ok=True)) for call in (*ROUTES.values(), "revoke")}
    refused = {call: len(cases(call, ok=False)) for call in (*ROUTES.values(), "revoke")}

    assert counts.pop("revoke") >= 1  # always the same empty 200
    assert min(counts.values()) >= 5, counts
    assert min(refused.values()) >= 5, refused
