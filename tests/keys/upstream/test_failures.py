"""Errors for calls without an answer, or with one that is not Estuary's."""

from __future__ import annotations

import socket
import threading
import time

import pytest

from keys.upstream import (
    EstuaryClient,
    RateLimited,
    UnexpectedReply,
    UpstreamFailed,
    UpstreamUnavailable,
)
from tests.keys.upstream.conftest import (
    CREATED,
    DONE,
    ROW,
    SPEC,
    STATS,
    TOKEN,
    TOKEN_HASH,
    NodeFactory,
    client_of,
)
from tests.keys.upstream.server import Action, chunked, json_reply, reply, reset, then

HTML = "text/html; charset=utf-8"


def free_port() -> int:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        port: int = listener.getsockname()[1]
    return port


def test_a_refused_connection_is_told_and_nothing_was_changed() -> None:
    client = EstuaryClient(f"http://127.0.0.1:{free_port()}", TOKEN)

    with pytest.raises(UpstreamUnavailable, match=r"refused.*Nothing was changed") as caught:
        client.create_key(SPEC)
    assert caught.value.kind == "refused"
    assert caught.value.maybe_carried_out is False


def test_an_unknown_host_is_told(monkeypatch: pytest.MonkeyPatch) -> None:
    def unknown(*_: object, **__: object) -> None:
        raise socket.gaierror(socket.EAI_NONAME, "no such host")

    monkeypatch.setattr(socket, "getaddrinfo", unknown)

    with pytest.raises(UpstreamUnavailable, match="looked up") as caught:
        EstuaryClient("http://estuary.invalid", TOKEN).create_key(SPEC)
    assert caught.value.kind == "dns"
    assert caught.value.maybe_carried_out is False


def test_a_slow_name_server_cannot_exceed_the_timeout(monkeypatch: pytest.MonkeyPatch) -> None:
    slept = threading.Event()
    monkeypatch.setattr(socket, "getaddrinfo", lambda *_, **__: [slept.wait(20)])

    start = time.monotonic()
    with pytest.raises(UpstreamUnavailable) as caught:
        EstuaryClient("http://estuary.invalid", TOKEN, 0.3).stats()
    slept.set()
    assert caught.value.kind == "timeout"
    assert time.monotonic() - start < 5


def test_the_next_address_is_tried_when_the_first_does_not_answer(
    node: NodeFactory, monkeypatch: pytest.MonkeyPatch
) -> None:
    estuary = node(json_reply(STATS))
    places = [("127.0.0.1", free_port()), ("127.0.0.1", estuary.port)]
    found = [(socket.AF_INET, socket.SOCK_STREAM, 6, "", place) for place in places]
    monkeypatch.setattr(socket, "getaddrinfo", lambda *_, **__: found)

    assert EstuaryClient("http://estuary.invalid", TOKEN).stats().pin_count == 5


@pytest.mark.parametrize("broken", [reset, then(b"HTTP/1.1 200 OK\r\nContent-", reset)])
def test_a_change_that_breaks_off_may_have_been_carried_out_and_is_not_repeated(
    node: NodeFactory, broken: Action
) -> None:
    estuary = node(broken, json_reply(CREATED))

    with pytest.raises(UpstreamUnavailable, match="may have carried it out") as caught:
        client_of(estuary).create_key(SPEC)
    assert caught.value.kind == "reset"
    assert caught.value.maybe_carried_out is True
    assert "Nothing was changed" not in caught.value.sentence
    assert len(estuary.requests) == 1


def test_a_read_that_breaks_off_is_retried_twice(node: NodeFactory) -> None:
    estuary = node(reset, reset, json_reply(STATS))

    assert client_of(estuary).stats().pin_count == 5
    assert len(estuary.requests) == 3


def test_a_read_is_tried_three_times_at_most(node: NodeFactory) -> None:
    estuary = node(reset, reset, reset, json_reply(STATS))

    with pytest.raises(UpstreamUnavailable) as caught:
        client_of(estuary).stats()
    assert caught.value.kind == "reset"
    assert len(estuary.requests) == 3


@pytest.mark.parametrize("status", [502, 503, 504])
def test_a_read_is_retried_when_a_proxy_has_no_answer(node: NodeFactory, status: int) -> None:
    estuary = node(reply(status, b"<h1>Bad</h1>", kind=HTML), json_reply(STATS))

    assert client_of(estuary).stats().pin_count == 5


@pytest.mark.parametrize("status", [500, 501, 505])
def test_a_read_is_not_retried_when_estuary_itself_fails(node: NodeFactory, status: int) -> None:
    estuary = node(reply(status, b"x" * 200_000, kind=HTML), json_reply(STATS))

    with pytest.raises(UpstreamFailed, match=f"status {status}"):
        client_of(estuary).stats()
    assert len(estuary.requests) == 1


@pytest.mark.parametrize("status", [500, 502, 503, 504])
def test_a_failed_change_is_never_repeated(node: NodeFactory, status: int) -> None:
    estuary = node(json_reply([ROW]), reply(status, b""), DONE)

    with pytest.raises(UpstreamFailed) as caught:
        client_of(estuary).revoke_key(TOKEN_HASH)
    assert caught.value.maybe_carried_out is True
    assert [request.method for request in estuary.requests] == ["GET", "DELETE"]


def test_a_read_waits_for_a_429_when_there_is_time(node: NodeFactory) -> None:
    estuary = node(reply(429, b"", {"Retry-After": "1"}), json_reply(STATS))

    start = time.monotonic()
    assert client_of(estuary).stats().pin_count == 5
    assert time.monotonic() - start >= 1


@pytest.mark.parametrize(
    ("told", "seconds"), [("60", 60), ("Fri, 31 Dec 9999 23:59:59 GMT", None), ("soon", None)]
)
def test_a_429_with_too_long_a_wait_says_when_to_try_again(
    node: NodeFactory, told: str, seconds: int | None
) -> None:
    estuary = node(reply(429, b"", {"Retry-After": told}), json_reply(STATS))

    with pytest.raises(RateLimited) as caught:
        client_of(estuary).stats()
    if seconds:
        assert caught.value.retry_after == seconds
        assert f"in {seconds} seconds" in caught.value.sentence
    assert len(estuary.requests) == 1


def test_a_change_does_not_wait_for_a_429(node: NodeFactory) -> None:
    estuary = node(reply(429, b"", {"Retry-After": "1"}), json_reply(CREATED))

    with pytest.raises(RateLimited, match="in 1 second") as caught:
        client_of(estuary).create_key(SPEC)
    assert caught.value.maybe_carried_out is False
    assert len(estuary.requests) == 1


@pytest.mark.parametrize("status", [301, 302, 303, 307, 308])
def test_a_redirect_is_not_followed(node: NodeFactory, status: int) -> None:
    other = node()
    estuary = node(*[reply(status, b"", {"Location": f"{other.url}/user/stats"})] * 2)

    with pytest.raises(UnexpectedReply, match="points elsewhere"):
        client_of(estuary).stats()
    with pytest.raises(UnexpectedReply) as caught:
        client_of(estuary).create_key(SPEC)
    assert caught.value.maybe_carried_out is True
    assert other.connections == 0


@pytest.mark.parametrize("status", [200, 201, 204, 400, 401, 403, 404])
def test_a_page_of_a_proxy_is_not_taken_for_estuarys_answer(node: NodeFactory, status: int) -> None:
    with pytest.raises(UnexpectedReply):
        client_of(node(reply(status, b"<html>ERR_INVALID_TOKEN", kind=HTML))).stats()


def test_a_page_of_a_proxy_is_not_taken_for_a_revocation(node: NodeFactory) -> None:
    with pytest.raises(UnexpectedReply) as caught:
        client_of(node(json_reply([ROW]), reply(200, b"<html>", kind=HTML))).revoke_key(TOKEN_HASH)
    assert caught.value.maybe_carried_out is True


@pytest.mark.parametrize(
    "rubbish",
    [
        b"SSH-2.0-OpenSSH_9.2\r\n\r\n",
        b"HTTP/1.1 banana\r\n\r\n",
        b"HTTP/1.1 200 OK\r\n" + b"X: y\r\n" * 200 + b"\r\n",
        b"HTTP/1.1 200 OK\r\nX: " + b"y" * 100_000 + b"\r\n\r\n",
        b"HTTP/1.1 200 OK\r\nContent-Length: 5\r\nContent-Length: 6\r\n\r\n",
    ],
)
def test_a_reply_that_is_not_http_is_unexpected(node: NodeFactory, rubbish: bytes) -> None:
    with pytest.raises(UnexpectedReply):
        client_of(node(then(rubbish, reset))).stats()


@pytest.mark.parametrize("length", ["65537", "99999999999999999999"])
def test_a_reply_that_announces_too_many_bytes_is_not_read(node: NodeFactory, length: str) -> None:
    with pytest.raises(UnexpectedReply, match="larger"):
        client_of(node(reply(200, b"{}" + b" " * 70_000, {"Content-Length": length}))).stats()


def test_a_reply_with_too_many_bytes_is_read_no_further(node: NodeFactory) -> None:
    endless = chunked(b" " * 1024 * 1024, 65_536).removesuffix(b"0\r\n\r\n")
    head = (
        b"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nTransfer-Encoding: chunked\r\n\r\n"
    )

    def flood(sock: socket.socket) -> None:
        sock.sendall(head)
        while True:
            sock.sendall(endless)

    with pytest.raises(UnexpectedReply, match="larger"):
        client_of(node(flood)).list_keys()
