"""Gunicorn with our settings, asked byte by byte."""

from __future__ import annotations

import re
import socket
from collections.abc import Callable, Iterator

import pytest

from keys.sandbox import Sandbox
from tests.support.console import Console

TOKEN = "EST6f2a1c9e-0000-4000-8000-000000000000ARY"
FORM = b"Content-Type: application/x-www-form-urlencoded"


class Answer:
    def __init__(self, raw: bytes) -> None:
        head, _, self.body = raw.partition(b"\r\n\r\n")
        line, *fields = head.decode("latin-1").split("\r\n")
        self.status = int(line.split()[1])
        self.headers = {
            name.lower(): value.strip() for name, _, value in (one.partition(":") for one in fields)
        }
        self.text = self.body.decode(errors="replace")

    @property
    def is_our_page(self) -> bool:
        return (
            "<title>" in self.text
            and "Estuary Admin" in self.text
            and self.headers["content-security-policy"].startswith("default-src 'none'")
            and self.headers["x-content-type-options"] == "nosniff"
            and self.headers["x-frame-options"] == "DENY"
            and self.headers["cache-control"] == "no-store"
            and len(self.headers["x-request-id"]) == 32
        )


def exchange(port: int, request: bytes) -> Answer:
    with socket.create_connection(("127.0.0.1", port), timeout=20) as wire:
        wire.sendall(request)
        raw = b""
        while chunk := wire.recv(65_536):
            raw += chunk
    return Answer(raw)


def get(
    port: int, path: str = "/accounts/login/", *fields: bytes, host: str = "localhost"
) -> Answer:
    lines = [f"GET {path} HTTP/1.1".encode(), f"Host: {host}".encode(), b"Connection: close"]
    return exchange(port, b"\r\n".join([*lines, *fields, b"", b""]))


def post(port: int, path: str, body: bytes, *fields: bytes) -> Answer:
    lines = [f"POST {path} HTTP/1.1".encode(), b"Host: localhost", b"Connection: close"]
    length = f"Content-Length: {len(body)}".encode()
    return exchange(port, b"\r\n".join([*lines, *fields, length, b"", body]))


@pytest.fixture(scope="module")
def console(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Console]:
    with (
        Sandbox(rate_limit=None) as node,
        Console(tmp_path_factory.mktemp("wire"), node, []) as console,
    ):
        yield console


@pytest.fixture
def log(console: Console) -> Iterator[Callable[[], str]]:
    """What the console logged since the test began; a traceback in it fails the test."""
    before = console.log.stat().st_size

    def read() -> str:
        return console.log.read_bytes()[before:].decode()

    yield read
    assert "Traceback" not in read()


def csrf_cookie(console: Console) -> bytes:
    page = get(console.port)
    [value] = re.findall(r"csrftoken=(\w+)", page.headers["set-cookie"])
    return f"Cookie: csrftoken={value}".encode()


@pytest.mark.parametrize(
    "content_type",
    [
        b"application/x-www-form-urlencoded; charset=utf-7",
        b"application/x-www-form-urlencoded; charset=utf-16",
        b"application/x-www-form-urlencoded; charset=idna",
        b"application/x-www-form-urlencoded; charset=punycode",
        b"application/x-www-form-urlencoded; charset=hex",
        b"application/x-www-form-urlencoded; charset=undefined",
        b"application/x-www-form-urlencoded; charset=\xff",
        b"application/x-www-form-urlencoded; charset*=utf-8''a%00b",
        b"multipart/form-data; boundary=x; charset=utf-7",
        b"multipart/form-data; boundary=x; charset=hex",
        b"multipart/form-data; boundary=x; charset=undefined",
        b"text/plain; charset=hex",
        b"multipart/form-data",
        b"multipart/form-data; boundary=" + b"x" * 300,
    ],
)
@pytest.mark.parametrize("has_cookie", [True, False])
def test_a_form_in_an_odd_encoding_is_refused_with_a_page(
    console: Console, log: Callable[[], str], content_type: bytes, has_cookie: bool
) -> None:
    cookies = [csrf_cookie(console)] if has_cookie else []
    part = (
        b'--x\r\nContent-Disposition: form-data; name="csrfmiddlewaretoken"\r\n\r\n\xff+-\r\n--x--'
    )
    body = part if b"multipart" in content_type else b"csrfmiddlewaretoken=%ff&a=+AGE-"

    answer = post(
        console.port, "/accounts/login/", body, b"Content-Type: " + content_type, *cookies
    )

    assert answer.status in {400, 403}
    assert answer.is_our_page
    assert answer.headers["x-request-id"] in log()


@pytest.mark.parametrize(
    ("query", "content_type"),
    [
        (b"next=%ff", b"application/x-www-form-urlencoded; charset=idna"),
        (b"next=%ff", b"application/x-www-form-urlencoded; charset=undefined"),
        (b"next=%ff", b"text/plain; charset=rot13"),
        (b"next=%ff", b"text/plain; charset*=nope''utf-8"),
        (b"next=%ff", b"text/plain; title*=undefined''%ff"),
        (b"next=%ff", b"text/plain; title*=%00''x"),
        (b"a&" * 2000, b"application/x-www-form-urlencoded; charset=utf-8"),
    ],
)
def test_a_query_that_cannot_be_read_is_refused_with_a_page(
    console: Console, log: Callable[[], str], query: bytes, content_type: bytes
) -> None:
    answer = exchange(
        console.port,
        b"GET /accounts/login/?%s HTTP/1.1\r\nHost: localhost\r\nContent-Type: %s\r\n"
        b"Connection: close\r\n\r\n" % (query, content_type),
    )

    assert answer.status == 400
    assert answer.is_our_page
    assert answer.headers["x-request-id"] in log()


@pytest.mark.parametrize(
    ("request_bytes", "status"),
    [
        (b"GET / HTTP/1.1\r\nHost: localhost\r\nbad header\r\n\r\n", 400),
        (b"GET / HTTP/9.1\r\nHost: localhost\r\n\r\n", 400),
        (f"{TOKEN}\r\n\r\n".encode(), 400),
        (b"GET / HTTP/1.1\r\nHost: localhost\r\nContent-Length: x\r\n\r\n", 400),
        (b"GET /?q=" + b"x" * 9000 + b" HTTP/1.1\r\nHost: localhost\r\n\r\n", 414),
        (b"GET / HTTP/1.1\r\nHost: localhost\r\nCookie: " + b"x" * 40_000 + b"\r\n\r\n", 431),
        (b"GET / HTTP/1.1\r\nHost: localhost\r\n" + b"A: b\r\n" * 200 + b"\r\n", 431),
        (b"POST / HTTP/1.1\r\nHost: localhost\r\nTransfer-Encoding: magic\r\n\r\n", 501),
        (b"GET / HTTP/1.1\r\nHost: localhost\r\nExpect: tea\r\n\r\n", 417),
    ],
)
def test_what_gunicorn_refuses_gets_a_page_an_id_and_a_log_line(
    console: Console, log: Callable[[], str], request_bytes: bytes, status: int
) -> None:
    answer = exchange(console.port, request_bytes)

    assert answer.status == status
    assert answer.is_our_page
    [line] = [one for one in log().splitlines() if answer.headers["x-request-id"] in one]
    assert "request_not_served" in line
    assert f"status={status}" in line
    assert TOKEN not in log()


def test_long_cookies_and_codes_of_single_sign_on_are_read(console: Console) -> None:
    cookies = b"Cookie: " + b"; ".join(b"sso%d=" % one + b"x" * 4000 for one in range(7))

    answer = get(console.port, "/accounts/login/?code=" + "c" * 8000, cookies)

    assert answer.status == 200


@pytest.mark.parametrize(
    "fields",
    [
        [b"X-Forwarded-Proto: https", b"X-Forwarded-Protocol: http", b"X-Forwarded-Ssl: off"],
        [b"X-Forwarded-Proto: http", b"X-Forwarded-Protocol: ssl", b"X-Forwarded-Ssl: on"],
        [b"X-Forwarded-Proto: https", b"X-Forwarded-Proto: http"],
    ],
)
def test_headers_that_disagree_are_no_reason_to_refuse(
    console: Console, fields: list[bytes]
) -> None:
    assert get(console.port, "/accounts/login/", *fields).status == 200


@pytest.mark.parametrize("path", ["/healthz", "/readyz"])
@pytest.mark.parametrize("host", ["10.1.2.3:8000", "[fd00::7]:8000", "evil.example", "a_b:x", ""])
def test_probes_are_answered_whatever_the_host(console: Console, path: str, host: str) -> None:
    assert get(console.port, path, host=host).status == 200


@pytest.mark.parametrize(
    "host", [TOKEN, TOKEN.lower(), f"{TOKEN.lower()}.example", "10.1.2.3", "a b", "x" * 300]
)
def test_an_unknown_host_is_one_log_line_without_a_token(
    console: Console, log: Callable[[], str], host: str
) -> None:
    answer = get(console.port, host=host)

    lines = [one for one in log().splitlines() if answer.headers["x-request-id"] in one]
    assert answer.status == 400
    assert answer.is_our_page
    assert ["host_refused" in one for one in lines] == [True, False]
    assert TOKEN.lower()[5:-5] not in log()


@pytest.mark.parametrize("has_cookie", [True, False])
def test_an_upload_is_refused_when_its_file_begins(
    console: Console, log: Callable[[], str], has_cookie: bool
) -> None:
    cookies = [csrf_cookie(console)] if has_cookie else []
    head = b'--x\r\nContent-Disposition: form-data; name="f"; filename="f"\r\n\r\n'
    lines = [
        b"POST /accounts/login/ HTTP/1.1",
        b"Host: localhost",
        b"Connection: close",
        b"Content-Type: multipart/form-data; boundary=x",
        b"Content-Length: 150000000",
        *cookies,
    ]

    # Only the beginning is sent: the response does not wait for the rest.
    answer = exchange(console.port, b"\r\n".join([*lines, b"", head + b"y" * 100_000]))

    assert answer.status == (400 if has_cookie else 403)
    assert answer.is_our_page
