"""The peak of memory is read from the kernel, without polling."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Iterator

import pytest

from bench.processes import Peak

MIB = 1 << 20
# Allocates and frees as many MiB as a line says, then answers.
WORKER = "import sys\nfor line in sys.stdin: print(len(b'x' * (int(line) << 20)), flush=True)"


@pytest.fixture
def worker() -> Iterator[subprocess.Popen[str]]:
    with subprocess.Popen(
        [sys.executable, "-c", WORKER], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    ) as process:
        ask(process, 1)
        yield process


def ask(process: subprocess.Popen[str], mib: int) -> None:
    assert process.stdin
    assert process.stdout
    process.stdin.write(f"{mib}\n")
    process.stdin.flush()
    assert process.stdout.readline() == f"{mib * MIB}\n"


def test_memory_that_was_given_back_counts_all_the_same(worker: subprocess.Popen[str]) -> None:
    with Peak(worker.pid) as peak:
        ask(worker, 64)

    assert 62 * MIB < peak.growth < 80 * MIB


def test_what_was_used_before_does_not_count(worker: subprocess.Popen[str]) -> None:
    ask(worker, 64)
    with Peak(worker.pid) as peak:
        ask(worker, 1)

    assert peak.growth < 8 * MIB
