"""A real OpenID provider from PyPI; tests add people to it."""

from __future__ import annotations

import json
import sys
import urllib.request
from pathlib import Path

from tests.support.processes import free_port
from tests.support.programs import Running


class Provider(Running):
    def __init__(self, folder: Path, *options: str) -> None:
        port = free_port()
        command = [sys.executable, "-m", "oidc_provider_mock", "--port", str(port), *options]
        # Its own warnings are not ours.
        super().__init__(command, port, folder / "provider.log", PYTHONWARNINGS="ignore")
        self.url = f"http://127.0.0.1:{port}"

    def knows(self, sub: str, **claims: object) -> None:
        request = urllib.request.Request(
            f"{self.url}/users/{sub}",
            json.dumps(claims).encode(),
            {"Content-Type": "application/json"},
            method="PUT",
        )
        urllib.request.urlopen(request, timeout=5).close()
