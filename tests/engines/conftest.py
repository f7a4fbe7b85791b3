"""The console in production mode over http and https, and a member who is connected."""

from __future__ import annotations

import subprocess
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, ExitStack
from pathlib import Path

import pytest

from keys.sandbox import Sandbox
from tests.deploy.shipped import nginx_with_tls
from tests.engines.engine import Engine
from tests.engines.firefox import firefox
from tests.engines.webkit import webkit
from tests.support.console import Console
from tests.support.processes import free_port

MEMBER = "alice"
ENGINES: dict[str, Callable[[Path], AbstractContextManager[Engine]]] = {
    "firefox": firefox,
    "webkit": webkit,
}


@pytest.fixture(params=ENGINES)
def engine(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Engine]:
    with ENGINES[request.param](tmp_path) as running:
        yield running


@pytest.fixture(scope="module", params=["http", "https"])
def console(
    request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Console]:
    """Its `url` is that of nginx for https."""
    folder, front = tmp_path_factory.mktemp("console"), free_port()
    is_secure = request.param == "https"
    settings = {"PUBLIC_URL": f"https://localhost:{front}", "TRUSTED_PROXIES": "127.0.0.1"}
    with ExitStack() as stack:
        node = stack.enter_context(Sandbox(rate_limit=None))
        member = {"name": MEMBER, "token": node.add_key(node.add_user(MEMBER), label="console")}
        running = Console(folder, node, [member], environment=settings if is_secure else {})
        stack.enter_context(running)
        if is_secure:
            certificate = make_certificate(folder)
            stack.enter_context(nginx_with_tls(folder, front, running.port, certificate))
            running.url = settings["PUBLIC_URL"]
        yield running


def make_certificate(folder: Path) -> Path:
    file = folder / "keys.pem"
    make = ["openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256"]
    make += ["-nodes", "-subj", "/CN=localhost", "-addext", "subjectAltName=DNS:localhost"]
    subprocess.run([*make, "-keyout", file, "-out", file], check=True, capture_output=True)
    return file
