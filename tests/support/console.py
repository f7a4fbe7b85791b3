"""The console as it runs in production: gunicorn, SQLite in a file, collected static files."""

from __future__ import annotations

import atexit
import base64
import json
import os
import secrets
import signal
import socket
import subprocess
import sys
import tempfile
import time
import urllib.request
from functools import cache
from pathlib import Path
from typing import Any, Self

from keys.sandbox import Sandbox

ROOT = Path(__file__).resolve().parents[2]
PASSWORD = "correct horse battery"


class Console:
    """Starts on entering, ends on leaving; `members` are dicts of name, token and admin."""

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
        wanted = json.dumps({"password": PASSWORD, "members": self._members})
        self._run("-m", "tests.support.prepare", standard_input=wanted)
        self.start()
        return self

    def start(self) -> None:
        with self.log.open("ab") as log:
            self._server = subprocess.Popen(
                [sys.executable, "-m", "gunicorn", "estuary_admin.wsgi"],
                cwd=ROOT,
                env=self.environment,
                stderr=log,
            )
        self._wait()

    def stop(self) -> None:
        self._server.terminate()
        self._server.wait()

    @property
    def pid(self) -> int:
        """Of the server's first process; those that answer are its children."""
        return self._server.pid

    def kill(self) -> None:
        """As when the power fails: the first process, then those that answer."""
        answering = Path(f"/proc/{self.pid}/task/{self.pid}/children").read_text().split()
        for pid in (self.pid, *map(int, answering)):
            os.kill(pid, signal.SIGKILL)
        self._server.wait()
        while self.answers():  # the last one may still hold the port
            time.sleep(0.01)

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
        """As if everybody had proved long ago to be themselves."""
        self._run("-m", "tests.support.age_proofs", standard_input="")

    def _wait(self) -> None:
        for _ in range(200):
            if self._server.poll() is not None:
                raise RuntimeError(self.log.read_text())
            if self.answers():
                return
            time.sleep(0.05)
        raise RuntimeError("the console does not answer")

    def answers(self) -> bool:
        try:
            urllib.request.urlopen(f"{self.url}/healthz", timeout=1).close()
        except OSError:
            return False
        return True


@cache
def static_root() -> str:
    """One for all consoles of a process: collecting takes as long as all the rest of a start."""
    folder = tempfile.TemporaryDirectory(prefix="static-")
    atexit.register(folder.cleanup)
    return folder.name


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
    return port
