"""The units as systemd itself judges them."""

from __future__ import annotations

import re
import socket
import subprocess
import sys
from pathlib import Path

import pytest

from keys.sandbox import Sandbox
from tests.support.console import ROOT, Console
from tests.support.programs import program

UNITS = ROOT / "deploy" / "systemd"
SERVICES = [
    "estuary-admin.service",
    "estuary-admin-daily.service",
    "estuary-admin-worker.service",
]
STATED = re.compile(r"exposure level of (\d\.\d)")


def analyze(*arguments: str | Path) -> subprocess.CompletedProcess[str]:
    found = program("systemd-analyze", "systemd")
    return subprocess.run([found, *arguments], capture_output=True, text=True, check=False)


def test_systemd_finds_nothing_to_complain_of(tmp_path: Path) -> None:
    for unit in UNITS.iterdir():
        text = unit.read_text().replace("/opt/estuary-admin/.venv/bin/python", sys.executable)
        (tmp_path / unit.name).write_text(text)

    verdict = analyze("verify", "--man=no", *sorted(tmp_path.iterdir()))

    assert (verdict.returncode, verdict.stderr) == (0, "")


@pytest.mark.parametrize("service", SERVICES)
def test_the_score_that_the_documentation_states_holds(service: str) -> None:
    stated = STATED.search((ROOT / "docs" / "security.md").read_text())
    assert stated

    verdict = analyze(
        "security", "--offline=true", f"--threshold={stated[1].replace('.', '')}", UNITS / service
    )

    assert verdict.returncode == 0, verdict.stdout[-200:]


def test_systemd_is_told_when_the_console_listens(tmp_path: Path) -> None:
    unit = (UNITS / "estuary-admin.service").read_text()
    assert "\nType=notify\n" in unit
    with (
        socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as systemd,
        Sandbox(rate_limit=None) as node,
    ):
        systemd.bind(str(tmp_path / "notify"))
        systemd.settimeout(60)
        (tmp_path / "data").mkdir()
        settings = {"NOTIFY_SOCKET": str(tmp_path / "notify")}
        with Console(tmp_path / "data", node, [], environment=settings):
            assert b"READY=1" in systemd.recv(1000)


def test_a_reload_sends_the_signal_that_the_tests_of_outages_send() -> None:
    unit = (UNITS / "estuary-admin.service").read_text()

    assert "\nExecReload=/bin/kill -s HUP $MAINPID\n" in unit


def test_the_task_limit_is_enough_for_the_threads_of_eight_cores() -> None:
    unit = (UNITS / "estuary-admin.service").read_text()
    [limit] = re.findall(r"^TasksMax=(\d+)$", unit, re.MULTILINE)
    threads = 64 + 10  # WEB_THREADS, and those of the database pool and the server itself

    assert int(limit) > 2 * 8 * threads  # a reload runs old and new workers side by side


def test_what_runs_every_day_is_what_the_console_has() -> None:
    started = re.findall(r"^ExecStart=.*manage\.py (\w+)", (UNITS / SERVICES[1]).read_text(), re.M)

    assert started
    listed = subprocess.run(
        [sys.executable, "manage.py", "help", "--commands"],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=True,
    )
    assert set(started) <= set(listed.stdout.split())
