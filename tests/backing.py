"""A PostgreSQL and a Redis that run only as long as a test or a command.

`python -m tests.backing COMMAND …` runs a command with TEST_DATABASE_URL and TEST_REDIS_URL set.
It needs Debian's packages postgresql and redis-server; nothing is kept or left running.
"""

from __future__ import annotations

import contextlib
import os
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Self

import psycopg
import pytest

from tests.support.processes import (
    HOST,
    free_port,
    listens,
    skip_when_fast,
    start_server,
    stop_server,
)

SYSTEM_PATH = "/usr/sbin:/usr/bin:/usr/local/sbin:/usr/local/bin"


class Backing:
    """A server on a free port; it can be stopped and started again with the same data."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.port = free_port()
        self._process: subprocess.Popen[bytes] | None = None

    def __enter__(self) -> Self:
        self.start()
        return self

    def __exit__(self, *_: object) -> None:
        self.stop()

    @property
    def url(self) -> str:
        raise NotImplementedError

    def command(self) -> list[str]:
        raise NotImplementedError

    def environment(self) -> dict[str, str]:
        return dict(os.environ)

    @property
    def is_running(self) -> bool:
        return self._process is not None

    def start(self) -> None:
        # SIGINT ends PostgreSQL at once and in order; SIGTERM would wait for its clients.
        self._process = start_server(
            self.command(),
            self.folder / "log.txt",
            lambda: listens(self.port),
            cwd=self.folder,
            environment=self.environment(),
            end=signal.SIGINT,
        )

    def stop(self) -> None:
        if self._process:
            stop_server(self._process, signal.SIGINT)
            self._process = None


class Redis(Backing):
    PACKAGE = "redis-server"

    @property
    def url(self) -> str:
        return f"redis://{HOST}:{self.port}"

    def command(self) -> list[str]:
        options = {"--port": str(self.port), "--bind": HOST, "--appendonly": "yes", "--save": ""}
        return ["redis-server", *(word for pair in options.items() for word in pair)]

    def environment(self) -> dict[str, str]:
        """Without faketime, with which Redis does not start."""
        return {name: value for name, value in os.environ.items() if name != "LD_PRELOAD"}


class PostgreSQL(Backing):
    PACKAGE = "postgresql"

    @property
    def url(self) -> str:
        return f"postgres://postgres@{HOST}:{self.port}/postgres"

    def __enter__(self) -> Self:
        if os.getuid() == 0:  # as which PostgreSQL refuses to run
            shutil.chown(self.folder, "postgres", "postgres")
        initdb = [*self._as_itself(), str(programs() / "initdb"), "--auth=trust", "--no-sync"]
        subprocess.run(
            [*initdb, "--username=postgres", "--encoding=UTF8", "--locale=C.UTF-8", self._data],
            check=True,
            stdout=subprocess.DEVNULL,
            cwd=self.folder,
        )
        return super().__enter__()

    def start(self) -> None:
        super().start()
        for _ in range(300):  # it listens before it has recovered
            with contextlib.suppress(psycopg.OperationalError):
                psycopg.connect(self.url).close()
                return
            time.sleep(0.05)
        raise RuntimeError((self.folder / "log.txt").read_text())

    def command(self) -> list[str]:
        settings = ["fsync=off", "full_page_writes=off", "synchronous_commit=off"]
        settings += [f"listen_addresses={HOST}", f"unix_socket_directories={self.folder}"]
        given = [word for setting in settings for word in ("-c", setting)]
        server = [str(programs() / "postgres"), "-D", self._data, "-p", str(self.port), *given]
        return [*self._as_itself(), *server]

    @property
    def _data(self) -> str:
        return str(self.folder / "data")

    @staticmethod
    def _as_itself() -> list[str]:
        if os.getuid() != 0:
            return []
        # A change of user clears the parent-death signal that `start_server` asks for.
        identity = ["--reuid=postgres", "--regid=postgres", "--clear-groups"]
        return ["setpriv", *identity, "--pdeathsig=INT"]


def programs() -> Path:
    """The folder of the newest installed PostgreSQL's programs."""
    return max(Path("/usr/lib/postgresql").glob("*/bin"), key=lambda path: int(path.parent.name))


def is_installed() -> bool:
    return not missing(PostgreSQL.PACKAGE, Redis.PACKAGE)


def missing(*packages: str) -> list[str]:
    """The given Debian packages whose programs are not installed."""
    there = {
        "postgresql": any(Path("/usr/lib/postgresql").glob("*/bin/initdb")),
        "redis-server": shutil.which("redis-server"),
        "nginx-light": shutil.which("nginx", path=SYSTEM_PATH),
        "caddy": shutil.which("caddy"),
        "faketime": any(Path("/usr/lib").glob("*/faketime/libfaketimeMT.so.1")),
        "systemd": shutil.which("systemd-analyze"),
        "fish": shutil.which("fish"),
        "zsh": shutil.which("zsh"),
        "zbar-tools": shutil.which("zbarimg"),
    }
    return [name for name in packages if not there[name]]


def need(*packages: str) -> None:
    """Skip a test whose packages are missing; in CI it fails."""
    skip_when_fast()
    if lacking := missing(*packages):
        says = "install Debian's " + " and ".join(lacking)
        if os.environ.get("CI") == "true":
            pytest.fail(says)
        pytest.skip(says)


@contextlib.contextmanager
def running(kind: Callable[[Path], Backing]) -> Iterator[Backing]:
    """In a temporary folder with a short path: PostgreSQL's socket path is limited."""
    with tempfile.TemporaryDirectory(prefix="backing-") as folder:
        Path(folder).chmod(0o700)
        with kind(Path(folder)) as backing:
            yield backing


def main(command: list[str]) -> int:
    if not is_installed():
        sys.stderr.write("Install Debian's packages postgresql and redis-server.\n")
        return 1
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))
    with running(PostgreSQL) as database, running(Redis) as redis:
        addresses = {"TEST_DATABASE_URL": database.url, "TEST_REDIS_URL": redis.url}
        return subprocess.run(command, env=os.environ | addresses, check=False).returncode


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
