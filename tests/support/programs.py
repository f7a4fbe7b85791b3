"""Servers of other projects (nginx, Caddy, Apache), each with its own folder and port."""

from __future__ import annotations

import os
import shutil
import sys
from pathlib import Path
from typing import Self

import pytest

from tests.support.processes import listens, skip_when_fast, start_server, stop_server


def program(name: str, package: str, *, also: str = "") -> str:
    """The path of a program; without it the test is skipped, and in CI it fails."""
    skip_when_fast()
    beside = Path(sys.executable).with_name(name)  # what pip installed, wherever PATH leads
    found = shutil.which(beside) or shutil.which(name) or shutil.which(f"/usr/sbin/{name}")
    if found and (not also or Path(also).exists()):
        return found
    if os.environ.get("CI") == "true":
        pytest.fail(f"CI must have Debian's package {package}")
    pytest.skip(f"no {name}: install Debian's package {package}")


class Running:
    """A server that is reachable inside the `with` block."""

    def __init__(self, command: list[str], port: int, log: Path, **environment: str) -> None:
        self.port = port
        self._command, self._log = command, log
        self._environment = environment

    def __enter__(self) -> Self:
        self._process = start_server(
            self._command,
            self._log,
            lambda: listens(self.port),
            environment={**os.environ, **self._environment},
        )
        return self

    def __exit__(self, *_: object) -> None:
        stop_server(self._process)
