"""The units as systemd itself judges them."""

from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path

import pytest

from tests.support.console import ROOT
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
