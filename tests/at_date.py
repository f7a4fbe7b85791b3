"""Run a command, and all that it starts, on another date: `python -m tests.at_date DATE COMMAND …`.

It needs Debian's package faketime. The clock goes on from that date. The real ones are: the
monotonic clock, the modification times of new files, and the clocks of Redis and Caddy.
"""

from __future__ import annotations

import os
import sys
from datetime import UTC, datetime
from pathlib import Path

from tests.backing import missing

LOADED_FIRST = Path(__file__).parent / "support" / "faketime"
SHARED_MEMORY = Path("/dev/shm")  # noqa: S108 - where libfaketime has its files


def clock_of(date: str) -> dict[str, str]:
    [library] = Path("/usr/lib").glob("*/faketime/libfaketimeMT.so.1")
    ahead = datetime.fromisoformat(date).astimezone(UTC) - datetime.now(UTC)
    paths = [str(LOADED_FIRST), os.environ.get("PYTHONPATH", "")]
    return {
        "LD_PRELOAD": str(library),
        "FAKETIME": f"{ahead.total_seconds():+.0f}",
        "FAKETIME_DONT_FAKE_MONOTONIC": "1",  # with a false one, threads wait for years
        "PYTHONPATH": os.pathsep.join(filter(None, paths)),
    }


def remove_leftovers() -> None:
    """Remove libfaketime's files of killed processes.

    They are named by process numbers, which come again: PostgreSQL, as another user, does not
    start when root's file of its number is there.
    """
    for file in SHARED_MEMORY.glob("*faketime_*"):
        number = file.name.rpartition("_")[2]
        if not Path("/proc", number).exists():
            file.unlink(missing_ok=True)


def main(date: str, *command: str) -> None:
    if missing("faketime"):
        sys.exit("Install Debian's package faketime.")
    remove_leftovers()
    os.execvpe(command[0], command, os.environ | clock_of(date))  # noqa: S606 - it is the command


if __name__ == "__main__":
    main(*sys.argv[1:])
