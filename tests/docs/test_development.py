"""The commands of the development and architecture pages."""

from __future__ import annotations

import contextlib
import os
import re
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.docs.host import Host
from tests.docs.pages import ROOT, Block, block
from tests.support.processes import (
    ending_with_parent,
    free_port,
    skip_when_fast,
    stop_server,
)


@pytest.fixture
def host(tmp_path: Path) -> Host:
    skip_when_fast()
    host = Host(tmp_path)
    host.environment["DATA_DIR"] = str(tmp_path / "data")
    return host


def lines_of(one: Block) -> list[str]:
    return [line.partition("  #")[0].strip() for line in one.text.strip().splitlines()]


def test_few_files_run_for_a_request(host: Host) -> None:
    for line in block("architecture.md", "tests.request_path").text.strip().splitlines():
        command, _, most = line.partition("  # ")

        counted = host.run(command, folder=ROOT)

        found = re.search(r"^(\d+) files on the path of /", counted, re.MULTILINE)
        assert found, counted
        assert 20 < int(found[1]) <= int(most.removesuffix(" at most")), counted
        assert "keys/token/stored_tokens.py" in counted


@pytest.mark.timeout(600)  # it imports all tests
def test_tests_are_chosen_as_described() -> None:
    skip_when_fast()  # it collects all tests three times
    for command in lines_of(block("development.md", "pytest --fast")):
        words = command.replace(".venv/bin/python", sys.executable)
        chosen = subprocess.run(
            ["bash", "-c", f"{words} --collect-only -q"],
            cwd=ROOT,
            capture_output=True,
            text=True,
            check=False,
        )
        assert chosen.returncode == 0, chosen.stdout[-500:]


def address_of(process: subprocess.Popen[str]) -> str:
    """The node's address, from what it prints first."""
    assert process.stdout
    for line in process.stdout:
        if found := re.search(r"http://127\.0\.0\.1:\d+", line):
            return found[0]
    raise AssertionError("no address was printed")


@contextlib.contextmanager
def sandbox(command: str, host: Host) -> Iterator[str]:
    """The address of a sandbox node that a command starts."""
    with subprocess.Popen(
        ending_with_parent(["bash", "-c", f"exec {command}"]),
        cwd=ROOT,
        env=host.environment,
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    ) as process:
        try:
            yield address_of(process)
        finally:
            stop_server(process)


def test_each_sandbox_command_starts_a_node_that_takes_faults(host: Host) -> None:
    node_line, *requests = block("development.md", "NODE=").text.strip().splitlines()
    for command in lines_of(block("development.md", "manage.py sandbox")):
        port = f" --listen 127.0.0.1:{free_port()}"
        with sandbox(command + port, host) as node:
            told = host.run(
                "\n".join([re.sub(r"=\S+", f"={node}", node_line), *requests]), folder=ROOT
            )
        assert "reset-after" in told
        assert "delay" in told


def test_the_sandbox_runs_in_python(host: Host, tmp_path: Path) -> None:
    code = block("development.md", "from keys.sandbox import").text
    (tmp_path / "node.py").write_text(code.replace(":3004", f":{free_port()}"))
    host.environment["PYTHONPATH"] = os.pathsep.join(
        filter(None, [str(ROOT), host.environment.get("PYTHONPATH")])
    )

    told = host.run(f"{sys.executable} -u node.py", given="\n")

    assert re.match(r"http://127\.0\.0\.1:\d+ EST", told)
