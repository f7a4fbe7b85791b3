"""Server processes that end with their test, however the test ends."""

from __future__ import annotations

import contextlib
import os
import shutil
import signal
import socket
import subprocess
import time
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

import pytest

HOST = "127.0.0.1"
#: Generous: on a busy machine a server needs many times what it needs alone.
START_SECONDS = 90
STOP_SECONDS = 60
POLL_SECONDS = 0.02


class Mode:
    """What the command line of pytest says; `tests/conftest.py` sets it."""

    is_fast = False


def skip_when_fast() -> None:
    """`make test-fast` starts no browser and no server process."""
    if Mode.is_fast:
        pytest.skip("starts a browser or a server process: not in test-fast")


def wait_until(condition: Callable[[], object], seconds: float | None = None) -> None:
    """Poll a condition; a test waits for what it needs, never for a number of seconds."""
    seconds = seconds or START_SECONDS
    give_up = time.monotonic() + seconds
    while not condition():
        if time.monotonic() > give_up:
            raise TimeoutError(f"waited {seconds} seconds in vain")
        time.sleep(POLL_SECONDS)


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind((HOST, 0))
        port: int = probe.getsockname()[1]
    return port


def listens(port: int) -> bool:
    with contextlib.suppress(OSError), socket.create_connection((HOST, port), 1):
        return True
    return False


def clock_environment() -> dict[str, str]:
    """The variables of `tests.at_date`, for processes with an environment of their own.

    A test and the processes it starts must have the same clock.
    """
    return {
        name: value
        for name, value in os.environ.items()
        if name in {"LD_PRELOAD", "PYTHONPATH"} or name.startswith("FAKETIME")
    }


def ending_with_parent(
    command: Sequence[str | Path], end: signal.Signals = signal.SIGTERM
) -> list[str]:
    """Have the kernel end the process when pytest dies without running its teardown."""
    setpriv = shutil.which("setpriv")  # util-linux; without it only the teardown ends the process
    guard = [setpriv, "--pdeathsig", end.name.removeprefix("SIG")] if setpriv else []
    return [*guard, *map(str, command)]


def start_server(
    command: Sequence[str | Path],
    log: Path,
    is_ready: Callable[[], bool],
    *,
    cwd: Path | None = None,
    environment: Mapping[str, str] | None = None,
    end: signal.Signals = signal.SIGTERM,
) -> subprocess.Popen[bytes]:
    """Start a server and return when it is ready; a failed start leaves no process behind."""
    skip_when_fast()
    with log.open("ab") as output:
        process = subprocess.Popen(
            ending_with_parent(command, end),
            stdout=output,
            stderr=output,
            cwd=cwd,
            env=environment,
            start_new_session=True,  # Ctrl-C is for pytest, which then stops the server
        )
    try:
        wait_until(lambda: process.poll() is not None or is_ready())
    except BaseException:  # a test's timeout too
        stop_server(process, end)
        raise
    if process.poll() is not None:
        raise RuntimeError(log.read_text())
    return process


def stop_server(process: subprocess.Popen[Any], end: signal.Signals = signal.SIGTERM) -> None:
    """Ask the process to end; kill it and its children when it does not."""
    if process.poll() is None:
        process.send_signal(end)
    try:
        process.wait(STOP_SECONDS)
    except BaseException:
        with contextlib.suppress(ProcessLookupError):
            os.killpg(process.pid, signal.SIGKILL)
        process.wait()
        raise
