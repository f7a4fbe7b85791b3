"""The README's commands, run as a reader runs them."""

from __future__ import annotations

import re
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from keys.sandbox import Sandbox
from tests.docs.host import Host, https_sign_in
from tests.docs.pages import block
from tests.support.processes import (
    ending_with_parent,
    listens,
    skip_when_fast,
    start_server,
    stop_server,
)

PASSWORD = "correct horse battery"


@pytest.fixture
def host(tmp_path: Path) -> Host:
    skip_when_fast()
    return Host(tmp_path)


@pytest.fixture
def clone(host: Host) -> Path:
    """A clean clone with a virtual environment, made by the first block."""
    host.run(block("README.md", "git clone REPOSITORY").text)
    return host.folder / "estuary-admin"


@pytest.fixture
def demo(host: Host, clone: Path) -> Iterator[str]:
    """What `make demo` prints in a clean clone."""
    [command] = re.findall(r"^make demo\b", block("README.md", "make demo").text, re.MULTILINE)
    with subprocess.Popen(
        ending_with_parent([*command.split(), f"PORT={host.port}"]),
        cwd=clone,
        env=host.environment,
        stdout=subprocess.PIPE,
        text=True,
    ) as process:
        assert process.stdout
        printed = ""
        try:
            while "Ctrl-C" not in printed:
                line = process.stdout.readline()
                assert line, f"the demo ended after: {printed}"
                printed += line
            yield printed
        finally:
            stop_server(process)


def test_make_demo_works_in_a_clean_clone(host: Host, demo: str) -> None:
    assert f"http://localhost:{host.port}/" in demo
    for name in ("alice", "bob", "carol", "sandbox"):
        assert name in demo
    assert host.run("curl -fsS http://127.0.0.1:8000/healthz") == "ok"


def test_make_test_is_there(host: Host, clone: Path) -> None:
    for target in re.findall(r"make test[\w-]*", block("README.md", "make test ").text):
        assert "pytest" in host.run(f"{target} --dry-run", folder=clone)


def test_run_it(host: Host) -> None:
    clone = host.folder / "estuary-admin"
    steps, _, serve = block("README.md", "createmember").text.strip().rpartition("\n")
    with Sandbox(rate_limit=None) as node:
        host.names = {"https://api.estuary.tech": node.url}
        host.run(block("README.md", "git clone REPOSITORY").text)
        with (clone / ".env").open("a") as settings:
            settings.write(f"BIND=127.0.0.1:{host.port}\n")
        host.run(steps, folder=clone, given=f"{PASSWORD}\n{PASSWORD}\n")
        server = start_server(
            ["bash", "-c", f"set -a; . ./.env; set +a; exec {serve}"],
            host.log,
            lambda: listens(host.port),
            cwd=clone,
            environment=host.environment,
        )
        try:
            page = https_sign_in(host.port, "keys.example.com", "alice", PASSWORD)
        finally:
            stop_server(server)

    assert (clone / ".env").stat().st_mode & 0o777 == 0o600
    assert "Signed in as <bdi>alice</bdi>, admin" in page
