"""The particular behaviour of Estuary nodes that a client must know (docs/estuary-api.md)."""

from __future__ import annotations

import time
from datetime import UTC, datetime, timedelta
from typing import Any
from urllib.parse import parse_qs, urlsplit

import pytest

from keys.upstream import (
    ApiKey,
    DurationError,
    EstuaryClient,
    KeySpec,
    NotPermitted,
    Permission,
    RateLimited,
    TokenRejected,
    TooManyContents,
    UnexpectedReply,
    UpstreamError,
    UpstreamFailed,
    UpstreamUnavailable,
    hash_of,
    parse_lifetime,
)
from tests.keys.upstream.conftest import (
    CREATED,
    DONE,
    OLD_ROW,
    OLD_TOKEN,
    ROW,
    SPEC,
    STATS,
    TOKEN,
    TOKEN_HASH,
    NodeFactory,
    client_of,
)
from tests.keys.upstream.server import json_reply, reply, then


def test_only_a_list_tells_whether_a_key_was_revoked(node: NodeFactory) -> None:
    client = client_of(node(json_reply([ROW]), DONE, json_reply([ROW])))

    assert client.revoke_key(TOKEN_HASH) is True
    assert client.list_keys().find(TOKEN_HASH) is not None


def test_a_key_that_is_not_listed_is_not_revoked(node: NodeFactory) -> None:
    estuary = node(json_reply([ROW]))

    assert client_of(estuary).revoke_key(hash_of(OLD_TOKEN)) is False
    assert [request.method for request in estuary.requests] == ["GET"]


def test_a_key_without_hash_is_revoked_by_its_token(node: NodeFactory) -> None:
    estuary = node(json_reply([ROW, OLD_ROW]), DONE)

    assert client_of(estuary).revoke_key(hash_of(OLD_TOKEN)) is True
    assert estuary.requests[1].target == f"/user/api-keys/{OLD_TOKEN}"


def test_a_key_with_token_and_hash_is_revoked_by_its_hash(node: NodeFactory) -> None:
    estuary = node(json_reply([OLD_ROW | {"tokenHash": hash_of(OLD_TOKEN)}]), DONE)

    assert client_of(estuary).revoke_key(hash_of(OLD_TOKEN)) is True
    assert estuary.requests[1].target == f"/user/api-keys/{hash_of(OLD_TOKEN)}"


def test_a_revoked_key_may_still_list_and_sees_nothing(node: NodeFactory) -> None:
    client = client_of(node(json_reply([ROW]), DONE, json_reply([])))

    assert client.revoke_key(TOKEN_HASH) is True
    assert client.list_keys().keys == ()


@pytest.mark.parametrize("lifetime", [timedelta(0), timedelta(days=-1), timedelta(days=10**6)])
def test_a_lifetime_that_estuary_answers_with_500_is_not_sent(lifetime: timedelta) -> None:
    with pytest.raises(ValueError, match="lifetime"):
        KeySpec("ci", lifetime, Permission.ALL)


@pytest.mark.parametrize("label", ["a\0b", "half \ud83d"])
def test_a_label_that_no_database_can_store_is_not_sent(label: str) -> None:
    with pytest.raises(ValueError, match=r"NUL|surrogates"):
        KeySpec(label, None, Permission.ALL)


def test_days_are_sent_as_hours_and_dead_keys_refused(node: NodeFactory) -> None:
    estuary = node(json_reply(CREATED))
    client_of(estuary).create_key(KeySpec("ci", parse_lifetime("45d"), Permission.ALL))

    assert "expiry=1080h" in estuary.requests[0].target
    for dead in ("0", "0h", "-5h", "30s"):
        with pytest.raises(DurationError):
            parse_lifetime(dead)


def test_parameters_are_in_the_query_and_the_body_is_empty(node: NodeFactory) -> None:
    estuary = node(json_reply(CREATED))
    client_of(estuary).create_key(KeySpec("ci", None, Permission.UPLOAD))

    query = urlsplit(estuary.requests[0].target).query
    assert parse_qs(query) == {"expiry": ["false"], "perms": ["upload"], "label": ["ci"]}
    assert estuary.requests[0].headers["content-length"] == "0"


@pytest.mark.parametrize("label", ["a;b", "100%", "a+b c", "a&b=c#d", "🔑 é", "x\ny\t/?", "%41;%"])
def test_labels_are_encoded_in_full(node: NodeFactory, label: str) -> None:
    estuary = node(json_reply(CREATED))
    client_of(estuary).create_key(KeySpec(label, None, Permission.ALL))

    query = urlsplit(estuary.requests[0].target).query
    assert not set(query) & set(";+#/ ")
    assert parse_qs(query)["label"] == [label]


def test_the_hash_is_sent_as_it_is(node: NodeFactory) -> None:
    odd = "-_" * 21 + "A"
    estuary = node(json_reply([ROW | {"tokenHash": odd}]), DONE)
    client_of(estuary).revoke_key(odd)

    assert estuary.requests[1].target == f"/user/api-keys/{odd}"


@pytest.mark.parametrize("status", [401, 403])
@pytest.mark.parametrize(
    "error", ["ERR_INVALID_TOKEN", {"code": 401, "reason": "ERR_INVALID_TOKEN"}]
)
def test_an_error_may_be_a_string_or_an_object(
    node: NodeFactory, error: object, status: int
) -> None:
    with pytest.raises(TokenRejected):
        client_of(node(json_reply({"error": error}, status))).stats()


@pytest.mark.parametrize(
    ("status", "error", "kind"),
    [
        (403, "ERR_INVALID_TOKEN", TokenRejected),
        (401, "ERR_NOT_AUTHORIZED", NotPermitted),
        (403, "ERR_OF_SOME_OTHER_MONTH", TokenRejected),
        (401, "ERR_OF_SOME_OTHER_MONTH", NotPermitted),
        (401, {"reason": "ERR_OF_SOME_OTHER_MONTH"}, TokenRejected),
        (403, {"reason": "Forbidden"}, NotPermitted),
        (403, "forbidden", UnexpectedReply),
    ],
)
def test_statuses_401_and_403_mean_the_reverse_on_vintage_nodes(
    node: NodeFactory, status: int, error: object, kind: type[UpstreamError]
) -> None:
    with pytest.raises(kind) as caught:
        client_of(node(json_reply({"error": error}, status))).stats()
    assert type(caught.value) is kind


def test_the_permission_is_sent_but_not_claimed_of_a_listed_key(node: NodeFactory) -> None:
    estuary = node(json_reply(CREATED))
    client_of(estuary).create_key(SPEC)

    assert "perms=upload" in estuary.requests[0].target
    assert "permission" not in ApiKey.__struct_fields__


def test_an_export_may_take_longer_than_the_page_and_has_no_length(node: NodeFactory) -> None:
    body = b'{"Version":"v0.0.1","Version1":{"Contents":[],"Deals":[]}}\n'
    late = then(lambda _: time.sleep(0.6), reply(200, body, {"Transfer-Encoding": "chunked"}))
    with client_of(node(late), timeout=0.3).open_export() as export:
        assert b"".join(export) == body


def test_an_account_beyond_65535_contents_has_its_own_sentence(node: NodeFactory) -> None:
    details = "extended protocol limited to 65535 parameters"
    with pytest.raises(TooManyContents, match="65,535 contents"):
        client_of(node(json_reply({"error": {"code": 500, "details": details}}, 500))).open_export()


def test_an_export_is_never_asked_for_twice(node: NodeFactory) -> None:
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


def test_a_429_without_a_time_is_not_retried(node: NodeFactory) -> None:
    estuary = node(json_reply({"error": {"code": 429, "reason": "Too Many Requests"}}, 429))

    with pytest.raises(RateLimited, match="busy") as caught:
        client_of(estuary).list_keys()
    assert caught.value.retry_after is None
    assert len(estuary.requests) == 1


def test_the_members_address_can_be_forwarded(node: NodeFactory) -> None:
    estuary = node(json_reply(STATS), json_reply(STATS))
    EstuaryClient(estuary.url, TOKEN, forwarded_for="203.0.113.7").stats()
    EstuaryClient(estuary.url, TOKEN, forwarded_for="x\r\nEvil: 1").stats()

    assert estuary.requests[0].headers["x-forwarded-for"] == "203.0.113.7"
    assert not {"x-forwarded-for", "evil"} & set(estuary.requests[1].headers)


def test_sizes_beyond_2_to_the_53_stay_exact(node: NodeFactory) -> None:
    client = client_of(node(json_reply({"totalSize": 27021597764222979, "numPins": 3})))

    assert client.stats().total_size == 27021597764222979


def test_no_feature_is_requested_that_estuary_lacks(node: NodeFactory) -> None:
    estuary = node(json_reply(STATS))
    client_of(estuary).stats()

    headers = estuary.requests[0].headers
    assert headers["accept-encoding"] == "identity"
    assert not {"range", "if-none-match", "cookie"} & set(headers)


def test_a_compressed_reply_is_not_unpacked(node: NodeFactory) -> None:
    with pytest.raises(UnexpectedReply):
        client_of(node(json_reply(STATS, Content_Encoding="gzip"))).stats()


def test_a_404_is_no_answer_and_an_empty_key_is_not_sent(node: NodeFactory) -> None:
    not_found = json_reply({"error": {"code": 404, "reason": "Not Found"}}, 404)
    with pytest.raises(UnexpectedReply, match="does not know this request"):
        client_of(node(not_found)).stats()

    estuary = node(json_reply([ROW]))
    assert client_of(estuary).revoke_key("") is False
    assert len(estuary.requests) == 1


@pytest.mark.parametrize("header", [{}, {"X-Appversion": "v0.4.3"}, {"x_APPVERSION": "?"}])
def test_no_version_header_is_needed(node: NodeFactory, header: dict[str, Any]) -> None:
    assert client_of(node(json_reply(STATS, **header))).stats().pin_count == 5


def test_the_expiry_of_create_and_list_differ_in_digits_only(node: NodeFactory) -> None:
    long = CREATED | {"expiry": "2126-10-31T17:58:42.927956992Z"}
    short = ROW | {"expiry": "2126-10-31T17:58:42.927956Z"}
    client = client_of(node(json_reply(long), json_reply([short])))

    assert client.create_key(SPEC).expiry == client.list_keys().keys[0].expiry


def test_expired_and_session_keys_are_listed_as_such(node: NodeFactory) -> None:
    old = ROW | {"expiry": "2022-11-22T18:13:56-05:00", "isSession": True}
    key = client_of(node(json_reply([old]))).list_keys().keys[0]

    assert key.is_session
    assert key.expiry == datetime(2022, 11, 22, 23, 13, 56, tzinfo=UTC)
    assert key.is_expired(datetime.now(UTC))


@pytest.mark.parametrize("token", ["", "ESTéARY", "EST x ARY", "ESTx\r\nHost: evilARY", "x" * 5000])
def test_a_token_that_cannot_be_one_does_not_reach_estuarys_log(
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


def test_a_token_is_looked_for_by_its_hash_alone(node: NodeFactory) -> None:
    estuary = node(json_reply([ROW]))

    assert client_of(estuary).list_keys().find(hash_of(OLD_TOKEN)) is None
    assert OLD_TOKEN not in str(estuary.requests)
