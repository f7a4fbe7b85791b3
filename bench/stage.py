"""A sandbox node and a console in production mode, each as a process."""

from __future__ import annotations

import base64
import json
import os
import secrets
import sqlite3
import subprocess
import sys
import tempfile
import time
import urllib.request
from collections.abc import Iterator
from contextlib import closing, contextmanager
from dataclasses import dataclass
from pathlib import Path

from bench.node import Account, order
from bench.plan import PLAIN_MEMBER
from tests.support.processes import free_port

ROOT = Path(__file__).resolve().parents[1]
PATIENCE = 60  # seconds


@dataclass(frozen=True)
class Node:
    url: str
    tokens: dict[str, str]
    pid: int


@dataclass(frozen=True)
class Console:
    url: str
    pid: int


class Stage:
    """A database and members, for the processes that are started with them."""

    def __init__(self, folder: Path, accounts: list[Account]) -> None:
        self.folder = folder
        self.accounts = accounts
        self._environment = {
            **os.environ,
            "DJANGO_SETTINGS_MODULE": "estuary_admin.settings",
            "SECRET_KEY": secrets.token_urlsafe(64),
            "TOKEN_SEALING_KEYS": base64.b64encode(secrets.token_bytes(32)).decode(),
            "DATA_DIR": str(folder),
            "LOG_LEVEL": "INFO",  # as in production: a line for each request
            "MEMBER_CHANGES_PER_MINUTE": "10000",  # the bench is quicker than a member
        }
        with self.node(latency=0) as node:
            made = subprocess.run(
                [sys.executable, "-m", "bench.prepare"],
                cwd=ROOT,
                env=self._environment | {"ESTUARY_API_URL": node.url},
                input=json.dumps(node.tokens).encode(),
                stdout=subprocess.PIPE,
                check=True,
            )
        self.cookies: dict[str, str] = json.loads(made.stdout)

    @contextmanager
    def node(
        self,
        latency: float = 0.02,
        rate_limit: float | None = None,
        export_rate: float | None = None,
    ) -> Iterator[Node]:
        with subprocess.Popen(
            [sys.executable, "-m", "bench.node"],
            cwd=ROOT,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        ) as process:
            assert process.stdin is not None
            assert process.stdout is not None
            try:
                process.stdin.write(order(self.accounts, latency, rate_limit, export_rate) + "\n")
                process.stdin.flush()
                said = json.loads(process.stdout.readline())
                yield Node(said["url"], said["tokens"], process.pid)
            finally:
                process.terminate()

    def output_of(self, module: str, *arguments: str, node: Node) -> bytes:
        """What a module prints that runs in the console's environment."""
        done = subprocess.run(
            [sys.executable, "-m", module, *arguments],
            cwd=ROOT,
            env=self._environment | {"ESTUARY_API_URL": node.url},
            stdout=subprocess.PIPE,
            check=True,
        )
        return done.stdout

    @contextmanager
    def console(self, node: Node) -> Iterator[Console]:
        """gunicorn with the repository's configuration, in the environment of an installation."""
        with self._served(node, "estuary_admin.wsgi", {}) as console:
            yield console

    @contextmanager
    def worker(self, node: Node) -> Iterator[None]:
        with (
            (self.folder / "worker.txt").open("ab") as file,
            subprocess.Popen(
                [sys.executable, "manage.py", "worker"],
                cwd=ROOT,
                env=self._environment | {"ESTUARY_API_URL": node.url},
                stdout=file,
                stderr=file,
            ) as process,
        ):
            try:
                yield
            finally:
                process.terminate()

    def run(self, module: str, given: str, node: Node) -> None:
        """Run a module in the environment of the console, with this text as its input."""
        subprocess.run(
            [sys.executable, "-m", module],
            cwd=ROOT,
            env=self._environment | {"ESTUARY_API_URL": node.url},
            input=given.encode(),
            check=True,
        )

    def count(self, query: str) -> int:
        """The number that a query of the console's database gives."""
        file = f"file:{self.folder / 'estuary-admin.sqlite3'}?mode=ro"
        with closing(sqlite3.connect(file, uri=True)) as database:
            [[found]] = database.execute(query).fetchall()
            return int(found)

    @contextmanager
    def plain_page(self, node: Node) -> Iterator[Console]:
        """The yardstick: `bench/plain_page.py` with the same gunicorn configuration."""
        more = {"PLAIN_PAGE_TOKEN": node.tokens[PLAIN_MEMBER]}
        with self._served(node, "bench.plain_page:application", more) as server:
            yield server

    @contextmanager
    def _served(self, node: Node, application: str, more: dict[str, str]) -> Iterator[Console]:
        port = free_port()
        url = f"http://localhost:{port}"
        environment = more | {
            "PUBLIC_URL": url,
            "BIND": f"127.0.0.1:{port}",
            "ESTUARY_API_URL": node.url,
        }
        log = self.folder / "log.txt"
        with (
            log.open("ab") as file,
            subprocess.Popen(
                [sys.executable, "-m", "gunicorn", application],
                cwd=ROOT,
                env=self._environment | environment,
                stderr=file,
            ) as process,
        ):
            try:
                _wait(url, process, log)
                yield Console(url, process.pid)
            finally:
                process.terminate()


def _wait(url: str, process: subprocess.Popen[bytes], log: Path) -> None:
    give_up = time.monotonic() + PATIENCE
    while process.poll() is None and time.monotonic() < give_up:
        try:
            urllib.request.urlopen(f"{url}/healthz", timeout=1).close()
        except OSError:
            time.sleep(0.05)
        else:
            return
    raise RuntimeError(f"the console does not answer:\n{log.read_text()[-4000:]}")


@contextmanager
def staged(accounts: list[Account]) -> Iterator[Stage]:
    with tempfile.TemporaryDirectory(prefix="estuary-admin-bench-") as folder:
        yield Stage(Path(folder), accounts)
