"""The console as in production: gunicorn, SQLite in a file, collected static files."""

from __future__ import annotations

import atexit
import base64
import json
import os
import secrets
import signal
import subprocess
import sys
import tempfile
import urllib.request
from functools import cache
from pathlib import Path
from typing import Any, Self

from keys.sandbox import Sandbox
from tests.support.processes import (
    free_port,
    skip_when_fast,
    start_server,
    stop_server,
    wait_until,
)

ROOT = Path(__file__).resolve().parents[2]
PASSWORD = "correct horse battery"


class Console:
    """A console that serves inside the `with` block; `members` are dicts of name, token, admin."""

    def __init__(
        self,
        data_dir: Path,
        node: Sandbox,
        members: list[dict[str, Any]],
        port: int | None = None,
        environment: dict[str, str] | None = None,
    ) -> None:
        self.node = node
        self.port = self.front = port or free_port()
        self.url = f"http://localhost:{self.port}"
        self.log = data_dir / "log.txt"
        self._members = members
        self.environment = {
            **os.environ,
            "DJANGO_SETTINGS_MODULE": "tests.support.console_settings",
            "SECRET_KEY": secrets.token_urlsafe(64),
            "TOKEN_SEALING_KEYS": base64.b64encode(secrets.token_bytes(32)).decode(),
            "DATA_DIR": str(data_dir),
            "STATIC_ROOT": static_root(),
            "PUBLIC_URL": self.url,
            "ESTUARY_API_URL": node.url,
            "ESTUARY_TIMEOUT": "5",
            "SANDBOX": "true",
            "BIND": f"127.0.0.1:{self.port}",
            "WEB_CONCURRENCY": "1",
            "LOG_LEVEL": "INFO",
            **(environment or {}),
        }

    def __enter__(self) -> Self:
        skip_when_fast()
        wanted = json.dumps({"password": PASSWORD, "members": self._members})
        self._run("-m", "tests.support.prepare", standard_input=wanted)
        self.start()
        return self

    def start(self) -> None:
        self._server = start_server(
            [sys.executable, "-m", "gunicorn", "estuary_admin.wsgi"],
            self.log,
            self.answers,
            cwd=ROOT,
            environment=self.environment,
        )

    def stop(self) -> None:
        stop_server(self._server)

    @property
    def pid(self) -> int:
        """The process id of the gunicorn master; its children answer requests."""
        return self._server.pid

    def signal(self, number: int) -> None:
        """Send the master a signal, as a service manager does."""
        self._server.send_signal(number)

    def kill(self) -> None:
        """Kill the master and its workers, as a power failure does."""
        answering = Path(f"/proc/{self.pid}/task/{self.pid}/children").read_text().split()
        for pid in (self.pid, *map(int, answering)):
            os.kill(pid, signal.SIGKILL)
        self._server.wait()
        wait_until(lambda: not self.answers())  # the last one may still hold the port

    def __exit__(self, *_: object) -> None:
        self.stop()

    def _run(self, *arguments: str, standard_input: str) -> None:
        subprocess.run(
            [sys.executable, *arguments],
            cwd=ROOT,
            env=self.environment,
            input=standard_input.encode(),
            check=True,
        )

    def age_proofs(self) -> None:
        """Make every fresh proof too old, as if it was given a day ago."""
        self._run("-m", "tests.support.age_proofs", standard_input="")

    def look_at_accounts(self) -> None:
        """Have a worker look at every account whose look is due."""
        self._run("-m", "tests.support.look_at_accounts", standard_input="")

    def age_lists(self) -> None:
        """Make every kept list and all kept figures ten minutes older."""
        self._run("-m", "tests.support.age_lists", standard_input="")

    def off_board(self) -> None:
        """Have a worker do the off-boardings that wait."""
        self._run("-m", "tests.support.look_at_accounts", "off-board", standard_input="")

    def answers(self) -> bool:
        try:
            urllib.request.urlopen(f"{self.url}/healthz", timeout=1).close()
        except OSError:
            return False
        return True


@cache
def static_root() -> str:
    """Shared by all consoles of a test process: collecting files takes half of a start."""
    folder = tempfile.TemporaryDirectory(prefix="static-")
    atexit.register(folder.cleanup)
    return folder.name
