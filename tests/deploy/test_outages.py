"""What members see through the shipped proxies while consoles break, restart or are away."""

from __future__ import annotations

import signal
import threading
from collections.abc import Callable, Iterator
from http.client import HTTPConnection
from pathlib import Path

import pytest

from keys.sandbox import Sandbox
from tests.deploy.fragile import Fragile
from tests.deploy.shipped import DEPLOY, caddy, nginx
from tests.support.console import Console
from tests.support.processes import free_port, wait_until
from tests.support.programs import Running

Proxy = Callable[..., Running]
LONG_COOKIE = "_oauth2_proxy=" + "c" * 9_000
LONG_FIELD = "a" * 32_000
LONG_LINE = "/accounts/oidc/corp/callback/?code=" + "d" * 4_200


@pytest.fixture(params=[nginx, caddy], ids=["nginx", "caddy"])
def proxy(request: pytest.FixtureRequest) -> Proxy:
    found: Proxy = request.param
    return found


@pytest.fixture
def two(proxy: Proxy, tmp_path: Path) -> Iterator[tuple[int, Fragile, Fragile]]:
    """The port of a proxy in front of two consoles."""
    port = free_port()
    with (
        Fragile("one") as one,
        Fragile("two") as other,
        proxy(tmp_path, port, one.port, other.port),
    ):
        yield port, one, other


def ask(
    port: int, method: str = "GET", path: str = "/keys/", headers: dict[str, str] | None = None
) -> tuple[int, str, dict[str, str]]:
    connection = HTTPConnection("localhost", port, timeout=60)
    connection.request(method, path, "label=x" if method == "POST" else None, headers or {})
    answer = connection.getresponse()
    text = answer.read().decode()
    connection.close()
    return answer.status, text, dict(answer.headers.items())


def test_a_get_that_breaks_off_is_answered_by_the_other(two: tuple[int, Fragile, Fragile]) -> None:
    port, one, _ = two
    one.breaks = 20

    answers = [ask(port)[:2] for _ in range(20)]

    assert one.breaks < 20
    assert set(answers) <= {(200, "one"), (200, "two")}


def test_a_post_is_never_repeated_and_nothing_is_claimed(
    two: tuple[int, Fragile, Fragile],
) -> None:
    port, one, other = two
    one.breaks = other.breaks = 1

    status, text, headers = ask(port, "POST", "/keys/new/")

    assert one.asked("POST") + other.asked("POST") == 1
    assert status == 502
    assert "it may have been carried out" in " ".join(text.split())
    assert headers["Cache-Control"] == "no-store"


def test_two_killed_workers_do_not_take_all_consoles_out(
    two: tuple[int, Fragile, Fragile],
) -> None:
    port, one, other = two
    one.breaks = other.breaks = 5
    for _ in range(10):  # POSTs, so that each breaks off at one console alone
        ask(port, "POST", "/keys/new/")

    one.breaks = other.breaks = 0
    assert [ask(port)[0] for _ in range(10)] == [200] * 10


def test_without_a_console_a_page_says_what_is_going_on(proxy: Proxy, tmp_path: Path) -> None:
    port = free_port()
    with proxy(tmp_path, port, free_port(), free_port()):
        for method in ("GET", "POST"):
            status, text, headers = ask(port, method)

            assert status in {502, 503}
            assert "<h1>Estuary Admin does not answer</h1>" in text
            assert "text/html" in headers["Content-Type"]
            assert headers["Retry-After"] == "5"
            assert headers["Content-Security-Policy"].startswith("default-src 'none'")


def test_the_page_is_the_same_behind_each_proxy() -> None:
    pages = [(DEPLOY / name / "unavailable.html").read_text() for name in ("nginx", "caddy")]

    assert pages[0] == pages[1]
    assert "style" not in pages[0]
    assert "script" not in pages[0]


@pytest.mark.parametrize("method", ["GET", "POST"])
def test_what_single_sign_on_sends_fits(two: tuple[int, Fragile, Fragile], method: str) -> None:
    port, one, other = two
    headers = {"Cookie": LONG_COOKIE, "X-Assertion": LONG_FIELD}

    assert ask(port, method, LONG_LINE, headers)[0] == 200
    [(_, path, came)] = [
        r for console in (one, other) for r in console.requests if r[1] != "/readyz"
    ]
    assert path == LONG_LINE
    assert came["Cookie"] == LONG_COOKIE
    assert came["X-Assertion"] == LONG_FIELD


def test_caddy_asks_readyz(tmp_path: Path) -> None:
    with Fragile("one") as console, caddy(tmp_path, free_port(), console.port):
        wait_until(lambda: any(path == "/readyz" for _, path, _ in console.requests))


def test_nobody_sees_a_reload_of_the_console(tmp_path: Path) -> None:
    """SIGHUP is what `systemctl reload` sends (ExecReload in the unit)."""
    port, statuses, is_over = free_port(), [], threading.Event()

    def visit(method: str) -> None:
        while not is_over.is_set():
            statuses.append(ask(port, method, "/accounts/login/")[0])

    settings = {"PUBLIC_URL": f"http://localhost:{port}", "WEB_CONCURRENCY": "2"}
    with (
        Sandbox(rate_limit=None) as node,
        Console(tmp_path, node, [], environment=settings | {"TRUSTED_PROXIES": "127.0.0.1"}) as it,
        nginx(tmp_path, port, it.port),
    ):
        visitors = [threading.Thread(target=visit, args=[m]) for m in ("GET", "GET", "POST")]
        for visitor in visitors:
            visitor.start()
        for _ in range(2):
            reload(it)
        asked = len(statuses)
        wait_until(lambda: len(statuses) > asked + 20)
        is_over.set()
        for visitor in visitors:
            visitor.join()

    assert set(statuses) == {200, 403}  # a POST without a CSRF token is refused by the console


def reload(console: Console) -> None:
    """Have the master replace its workers, and wait until it has."""
    before = workers(console)
    console.signal(signal.SIGHUP)
    wait_until(lambda: len(workers(console)) == 2 and not workers(console) & before)


def workers(console: Console) -> set[int]:
    children = Path(f"/proc/{console.pid}/task/{console.pid}/children").read_text()
    return set(map(int, children.split()))
