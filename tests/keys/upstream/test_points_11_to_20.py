"""What a writer of a client would get wrong, number by number (the recordings' own list)."""

from __future__ import annotations

import time
from datetime import UTC, datetime
from typing import Any

import pytest

from keys.upstream import (
    EstuaryClient,
    RateLimited,
    TokenRejected,
    TooManyContents,
    UnexpectedReply,
    UpstreamFailed,
    UpstreamUnavailable,
    hash_of,
)
from tests.keys.upstream.conftest import (
    CREATED,
    OLD_TOKEN,
    ROW,
    SPEC,
    STATS,
    TOKEN,
    NodeFactory,
    client_of,
)
from tests.keys.upstream.server import json_reply, reply, then


def test_11_an_export_may_take_longer_than_the_page_and_has_no_length(node: NodeFactory) -> None:
    body = b'{"Version":"v0.0.1","Version1":{"Contents":[],"Deals":[]}}\n'
    late = then(lambda _: time.sleep(0.6), reply(200, body, {"Transfer-Encoding": "chunked"}))
    with client_of(node(late), timeout=0.3).open_export() as export:
        assert b"".join(export) == body


def test_11_an_account_beyond_65535_contents_has_its_own_sentence(node: NodeFactory) -> None:
    details = "extended protocol limited to 65535 parameters"
    with pytest.raises(TooManyContents, match="65,535 contents"):
        client_of(node(json_reply({"error": {"code": 500, "details": details}}, 500))).open_export()


def test_12_an_export_is_never_asked_for_twice(node: NodeFactory) -> None:
    estuary = node(reply(502))
    with pytest.raises(UpstreamFailed):
        client_of(estuary).open_export()
    assert len(estuary.requests) == 1

    estuary = node()
    estuary.actions.append(estuary.hang)
    with pytest.raises(UpstreamUnavailable) as caught:
        client_of(estuary).open_export(first_byte_timeout=0.2)
    assert caught.value.kind == "timeout"
    assert len(estuary.requests) == 1


def test_13_a_429_without_a_time_is_said_at_once(node: NodeFactory) -> None:
    estuary = node(json_reply({"error": {"code": 429, "reason": "Too Many Requests"}}, 429))

    with pytest.raises(RateLimited, match="busy") as caught:
        client_of(estuary).list_keys()
    assert caught.value.retry_after is None
    assert len(estuary.requests) == 1


def test_13_the_address_of_the_member_can_be_told(node: NodeFactory) -> None:
    estuary = node(json_reply(STATS), json_reply(STATS))
    EstuaryClient(estuary.url, TOKEN, forwarded_for="203.0.113.7").stats()
    EstuaryClient(estuary.url, TOKEN, forwarded_for="x\r\nEvil: 1").stats()

    assert estuary.requests[0].headers["x-forwarded-for"] == "203.0.113.7"
    assert not {"x-forwarded-for", "evil"} & set(estuary.requests[1].headers)


def test_14_sizes_beyond_2_to_the_53_stay_exact(node: NodeFactory) -> None:
    client = client_of(node(json_reply({"totalSize": 27021597764222979, "numPins": 3})))

    assert client.stats().total_size == 27021597764222979


def test_15_nothing_is_asked_for_that_estuary_lacks(node: NodeFactory) -> None:
    estuary = node(json_reply(STATS))
    client_of(estuary).stats()

    headers = estuary.requests[0].headers
    assert headers["accept-encoding"] == "identity"
    assert not {"range", "if-none-match", "cookie"} & set(headers)


def test_15_a_compressed_reply_is_not_unpacked(node: NodeFactory) -> None:
    with pytest.raises(UnexpectedReply):
        client_of(node(json_reply(STATS, Content_Encoding="gzip"))).stats()


def test_16_a_404_is_no_answer_and_an_empty_key_is_not_sent(node: NodeFactory) -> None:
    not_found = json_reply({"error": {"code": 404, "reason": "Not Found"}}, 404)
    with pytest.raises(UnexpectedReply, match="does not know this request"):
        client_of(node(not_found)).stats()

    estuary = node(json_reply([ROW]))
    assert client_of(estuary).revoke_key("") is False
    assert len(estuary.requests) == 1


@pytest.mark.parametrize("header", [{}, {"X-Appversion": "v0.4.3"}, {"x_APPVERSION": "?"}])
def test_17_no_version_header_is_needed(node: NodeFactory, header: dict[str, Any]) -> None:
    assert client_of(node(json_reply(STATS, **header))).stats().pin_count == 5


def test_18_the_expiry_of_create_and_list_differ_in_digits_only(node: NodeFactory) -> None:
    long = CREATED | {"expiry": "2126-10-31T17:58:42.927956992Z"}
    short = ROW | {"expiry": "2126-10-31T17:58:42.927956Z"}
    client = client_of(node(json_reply(long), json_reply([short])))

    assert client.create_key(SPEC).expiry == client.list_keys().keys[0].expiry


def test_19_expired_and_session_keys_are_listed_as_such(node: NodeFactory) -> None:
    old = ROW | {"expiry": "2022-11-22T18:13:56-05:00", "isSession": True}
    key = client_of(node(json_reply([old]))).list_keys().keys[0]

    assert key.is_session
    assert key.expiry == datetime(2022, 11, 22, 23, 13, 56, tzinfo=UTC)
    assert key.is_expired(datetime.now(UTC))


@pytest.mark.parametrize("token", ["", "ESTéARY", "EST x ARY", "ESTx\r\nHost: evilARY", "x" * 5000])
def test_20_a_token_that_cannot_be_one_does_not_reach_estuarys_log(
    node: NodeFactory, token: str
) -> None:
    estuary = node()
    client = EstuaryClient(estuary.url, token)

    for call in (
        client.stats,
        client.list_keys,
        client.open_export,
        lambda: client.create_key(SPEC),
    ):
        with pytest.raises(TokenRejected):
            call()
    assert estuary.connections == 0


def test_20_a_token_is_looked_for_by_its_hash_alone(node: NodeFactory) -> None:
    estuary = node(json_reply([ROW]))

    assert client_of(estuary).list_keys().find(hash_of(OLD_TOKEN)) is None
    assert OLD_TOKEN not in str(estuary.requests)
