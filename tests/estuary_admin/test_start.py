"""The start of the console."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]


def run(*arguments: str, **environment: str) -> subprocess.CompletedProcess[str]:
    kept = {name: os.environ[name] for name in ("PATH", "HOME") if name in os.environ}
    return subprocess.run(
        [sys.executable, *arguments],
        cwd=ROOT,
        env=kept | environment,
        capture_output=True,
        text=True,
        check=False,
    )


def test_the_server_does_not_start_without_sealing_keys(tmp_path: Path) -> None:
    ended = run("-c", "import estuary_admin.wsgi", SECRET_KEY="x" * 50, DATA_DIR=str(tmp_path))

    assert ended.returncode == 1
    assert "Set TOKEN_SEALING_KEYS" in ended.stderr


def test_an_address_that_the_client_cannot_use_stops_the_start(tmp_path: Path) -> None:
    keys = {"SECRET_KEY": "x" * 50, "DATA_DIR": str(tmp_path)}
    ended = run("manage.py", "check", ESTUARY_API_URL="https://exa mple.org", **keys)

    assert ended.returncode == 1
    assert "ESTUARY_API_URL is wrong. The address of Estuary has a host" in ended.stderr


def test_the_sandbox_node_needs_no_settings(tmp_path: Path) -> None:
    ended = run("manage.py", "sandbox", "--help", DATA_DIR=str(tmp_path))

    assert ended.returncode == 0
    assert "made-up Estuary node" in ended.stdout
