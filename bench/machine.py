"""The machine, versions and load under which a figure was measured."""

from __future__ import annotations

import os
import platform
import sqlite3
import subprocess
import sys
import sysconfig
from dataclasses import dataclass
from datetime import UTC, datetime
from importlib.metadata import version
from pathlib import Path


@dataclass(frozen=True)
class Machine:
    cpu: str
    cores: int
    memory_gib: float
    kernel: str
    python: str
    django: str
    gunicorn: str
    sqlite: str
    load_before: float  # of the last minute: near 0 on an idle machine
    at: str
    commit: str
    build: str = "not known"  # of Python: "optimised" or "not optimised"

    @property
    def sentence(self) -> str:
        return (
            f"{self.cpu}, {self.cores} cores, {self.memory_gib:.0f} GiB, Linux {self.kernel}, "
            f"Python {self.python}, {self.at[:10]}"
        )


def this_machine() -> Machine:
    return Machine(
        cpu=_value("/proc/cpuinfo", "model name"),
        cores=len(os.sched_getaffinity(0)),
        memory_gib=int(_value("/proc/meminfo", "MemTotal").split()[0]) / (1 << 20),
        kernel=platform.release(),
        python=platform.python_version(),
        django=version("django"),
        gunicorn=version("gunicorn"),
        sqlite=sqlite3.sqlite_version,
        load_before=os.getloadavg()[0],
        at=datetime.now(UTC).isoformat(timespec="minutes"),
        commit=_git("describe", "--always", "--dirty"),
        build=python_build(),
    )


def python_build() -> str:
    """Whether this Python was built with profile-guided optimisation, as distributions build it.

    A Python without it makes pages a sixth slower: figures of the two are not comparable.
    """
    arguments = str(sysconfig.get_config_var("CONFIG_ARGS"))
    is_optimised = "--enable-optimizations" in arguments or sys.base_prefix == "/usr"
    return "optimised" if is_optimised else "not optimised"


def refuse_other_python(one: Machine, other: Machine) -> None:
    """Raises SystemExit for figures of two different Pythons."""
    if (one.python, one.build) != (other.python, other.build):
        raise SystemExit(
            f"Python {one.python} ({one.build}) and Python {other.python} ({other.build}) are not "
            "compared: run both with the same Python."
        )


def _value(file: str, name: str) -> str:
    for line in Path(file).read_text().splitlines():
        key, _, value = line.partition(":")
        if key.strip() == name:
            return value.strip()
    return "unknown"


def _git(*arguments: str) -> str:
    done = subprocess.run(["git", *arguments], capture_output=True, text=True, check=False)
    return done.stdout.strip() or "unknown"
