"""Server processes end when their start fails and when pytest is killed."""

from __future__ import annotations

import os
import re
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from tests.backing import PostgreSQL, need
from tests.support import processes
from tests.support.console import ROOT
from tests.support.processes import start_server, wait_until

SLEEPER = [sys.executable, "-c", "import time; print('up', flush=True); time.sleep(600)"]
KILLED_PARENT = """
import sys, time
from pathlib import Path
from tests.backing import PostgreSQL, Redis, running
from tests.support.processes import start_server
log = Path(sys.argv[1])
kind = {kind}
if kind:
    with running(kind) as server:
        print(server._process.pid, flush=True)
        time.sleep(600)
else:
    print(start_server({sleeper!r}, log, log.read_text).pid, flush=True)
    time.sleep(600)
"""


#: They start a process that ends with its standard input, and one that the test kills.
END_OTHERWISE = {"tests/bench/test_processes.py", "tests/support/test_processes.py"}


def is_alive(pid: int) -> bool:
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    return "\nState:\tZ" not in Path(f"/proc/{pid}/status").read_text()


def test_a_server_that_never_becomes_ready_is_stopped(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(processes, "START_SECONDS", 0.5)
    pids: list[int] = []

    def never_ready() -> bool:
        children = Path(f"/proc/{os.getpid()}/task/{os.getpid()}/children").read_text().split()
        pids.extend(int(pid) for pid in children)
        return False

    with pytest.raises(TimeoutError):
        start_server(SLEEPER, tmp_path / "log.txt", never_ready)

    assert pids
    assert not any("time.sleep(600)" in _command(pid) for pid in pids)


def _command(pid: int) -> str:
    try:
        return Path(f"/proc/{pid}/cmdline").read_text()
    except FileNotFoundError:
        return ""


@pytest.mark.parametrize("kind", ["None", "PostgreSQL", "Redis"])
def test_a_server_ends_when_its_parent_is_killed(kind: str, tmp_path: Path) -> None:
    need(PostgreSQL.PACKAGE, "redis-server")
    code = KILLED_PARENT.format(kind=kind, sleeper=SLEEPER)
    command = [sys.executable, "-c", code, str(tmp_path / "log.txt")]
    with subprocess.Popen(command, cwd=ROOT, stdout=subprocess.PIPE, text=True) as parent:
        assert parent.stdout
        server = int(parent.stdout.readline())
        assert is_alive(server)
        parent.send_signal(signal.SIGKILL)
        parent.wait()

    wait_until(lambda: not is_alive(server))


def test_every_process_of_a_test_ends_with_it() -> None:
    texts = {str(path.relative_to(ROOT)): path.read_text() for path in ROOT.glob("tests/**/*.py")}
    first_words = {name: re.findall(r"Popen\(\s*(\S+?)\b", text) for name, text in texts.items()}
    unguarded = {name for name, words in first_words.items() if set(words) - {"ending_with_parent"}}

    assert unguarded == END_OTHERWISE
