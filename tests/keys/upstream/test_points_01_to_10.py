"""What a writer of a client would get wrong, number by number (the recordings' own list)."""

from __future__ import annotations

from datetime import timedelta
from urllib.parse import parse_qs, urlsplit

import pytest

from keys.upstream import (
    ApiKey,
    DurationError,
    KeySpec,
    NotPermitted,
    Permission,
    TokenRejected,
    UnexpectedReply,
    UpstreamError,
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
    TOKEN_HASH,
    NodeFactory,
    client_of,
)
from tests.keys.upstream.server import json_reply


def test_01_a_200_to_delete_does_not_end_the_key_only_a_list_tells(node: NodeFactory) -> None:
    client = client_of(node(json_reply([ROW]), DONE, json_reply([ROW])))

    assert client.revoke_key(TOKEN_HASH) is True
    assert client.list_keys().find(TOKEN_HASH) is not None


def test_01_a_key_that_is_not_listed_is_not_revoked(node: NodeFactory) -> None:
    estuary = node(json_reply([ROW]))

    assert client_of(estuary).revoke_key(hash_of(OLD_TOKEN)) is False
    assert [request.method for request in estuary.requests] == ["GET"]


def test_02_a_key_without_hash_is_revoked_by_its_token(node: NodeFactory) -> None:
    estuary = node(json_reply([ROW, OLD_ROW]), DONE)

    assert client_of(estuary).revoke_key(hash_of(OLD_TOKEN)) is True
    assert estuary.requests[1].target == f"/user/api-keys/{OLD_TOKEN}"


def test_02_a_key_with_token_and_hash_is_revoked_by_its_hash(node: NodeFactory) -> None:
    estuary = node(json_reply([OLD_ROW | {"tokenHash": hash_of(OLD_TOKEN)}]), DONE)

    assert client_of(estuary).revoke_key(hash_of(OLD_TOKEN)) is True
    assert estuary.requests[1].target == f"/user/api-keys/{hash_of(OLD_TOKEN)}"


def test_03_a_revoked_key_may_still_list_and_sees_nothing(node: NodeFactory) -> None:
    client = client_of(node(json_reply([ROW]), DONE, json_reply([])))

    assert client.revoke_key(TOKEN_HASH) is True
    assert client.list_keys().keys == ()


@pytest.mark.parametrize("lifetime", [timedelta(0), timedelta(days=-1), timedelta(days=10**6)])
def test_04_what_estuary_would_answer_500_is_not_sent(lifetime: timedelta) -> None:
    with pytest.raises(ValueError, match="lifetime"):
        KeySpec("ci", lifetime, Permission.ALL)


@pytest.mark.parametrize("label", ["a\0b", "half \ud83d"])
def test_04_labels_that_no_database_takes_are_not_sent(label: str) -> None:
    with pytest.raises(ValueError, match=r"NUL|surrogates"):
        KeySpec(label, None, Permission.ALL)


def test_05_days_are_sent_as_hours_and_dead_keys_refused(node: NodeFactory) -> None:
    estuary = node(json_reply(CREATED))
    client_of(estuary).create_key(KeySpec("ci", parse_lifetime("45d"), Permission.ALL))

    assert "expiry=1080h" in estuary.requests[0].target
    for dead in ("0", "0h", "-5h", "30s"):
        with pytest.raises(DurationError):
            parse_lifetime(dead)


def test_06_parameters_are_in_the_query_and_the_body_is_empty(node: NodeFactory) -> None:
    estuary = node(json_reply(CREATED))
    client_of(estuary).create_key(KeySpec("ci", None, Permission.UPLOAD))

    query = urlsplit(estuary.requests[0].target).query
    assert parse_qs(query) == {"expiry": ["false"], "perms": ["upload"], "label": ["ci"]}
    assert estuary.requests[0].headers["content-length"] == "0"


@pytest.mark.parametrize("label", ["a;b", "100%", "a+b c", "a&b=c#d", "🔑 é", "x\ny\t/?", "%41;%"])
def test_07_labels_are_encoded_in_full(node: NodeFactory, label: str) -> None:
    estuary = node(json_reply(CREATED))
    client_of(estuary).create_key(KeySpec(label, None, Permission.ALL))

    query = urlsplit(estuary.requests[0].target).query
    assert not set(query) & set(";+#/ ")
    assert parse_qs(query)["label"] == [label]


def test_07_the_hash_is_sent_as_it_is(node: NodeFactory) -> None:
    odd = "-_" * 21 + "A"
    estuary = node(json_reply([ROW | {"tokenHash": odd}]), DONE)
    client_of(estuary).revoke_key(odd)

    assert estuary.requests[1].target == f"/user/api-keys/{odd}"


@pytest.mark.parametrize("status", [401, 403])
@pytest.mark.parametrize(
    "error", ["ERR_INVALID_TOKEN", {"code": 401, "reason": "ERR_INVALID_TOKEN"}]
)
def test_08_an_error_may_be_a_string_or_an_object(
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
def test_09_401_and_403_mean_the_reverse_on_vintage_nodes(
    node: NodeFactory, status: int, error: object, kind: type[UpstreamError]
) -> None:
    with pytest.raises(kind) as caught:
        client_of(node(json_reply({"error": error}, status))).stats()
    assert type(caught.value) is kind


def test_10_the_permission_is_sent_but_not_claimed_of_a_listed_key(node: NodeFactory) -> None:
    estuary = node(json_reply(CREATED))
    client_of(estuary).create_key(SPEC)

    assert "perms=upload" in estuary.requests[0].target
    assert "permission" not in ApiKey.__struct_fields__
