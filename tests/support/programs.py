"""Other people's servers, each in a folder of its own on a port of its own."""

from __future__ import annotations

import os
import shutil
import socket
import subprocess
import sys
import time
from pathlib import Path
from typing import Self

import pytest


def program(name: str, package: str, *, also: str = "") -> str:
    """Its path; where it is not installed the test is skipped, but never in CI."""
    beside = Path(sys.executable).with_name(name)  # what pip installed, wherever PATH leads
    found = shutil.which(beside) or shutil.which(name) or shutil.which(f"/usr/sbin/{name}")
    if found and (not also or Path(also).exists()):
        return found
    if os.environ.get("CI") == "true":
        pytest.fail(f"CI must have Debian's package {package}")
    pytest.skip(f"no {name}: install Debian's package {package}")


class Running:
    """Starts on entering and is reachable then; ends on leaving."""

    def __init__(self, command: list[str], port: int, log: Path, **environment: str) -> None:
        self.port = port
        self._command, self._log = command, log
        self._environment = {**os.environ, **environment}

    def __enter__(self) -> Self:
        with self._log.open("wb") as log:
            self._process = subprocess.Popen(
                self._command, stdout=log, stderr=log, env=self._environment
            )
        for _ in range(200):
            if self._process.poll() is not None:
                raise RuntimeError(self._log.read_text())
            with socket.socket() as probe:
                if probe.connect_ex(("127.0.0.1", self.port)) == 0:
                    return self
            time.sleep(0.05)
        raise RuntimeError(f"nobody listens: {self._log.read_text()}")

    def __exit__(self, *_: object) -> None:
        self._process.terminate()
        self._process.wait()
