"""WebKit, driven by WebDriver."""

from __future__ import annotations

import json
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from tests.engines.engine import ANSWER_SECONDS, Engine
from tests.support.processes import free_port, start_server, stop_server
from tests.support.programs import Running, program


class WebKit(Engine):
    def __init__(self, driver: str) -> None:
        self._session = f"{driver}/session"
        wanted = {"capabilities": {"alwaysMatch": {"acceptInsecureCerts": True}}}
        self._session += f"/{self._call('', wanted)['sessionId']}"

    def go(self, address: str) -> None:
        self._call("/url", {"url": address})

    def run(self, expression: str) -> Any:
        return self._call("/execute/sync", {"script": f"return {expression}", "args": []})

    def travel(self, steps: int) -> None:
        self._call("/back" if steps < 0 else "/forward", {})

    def close(self) -> None:
        self._call("", method="DELETE")

    def _perform(self, sources: list[dict[str, Any]]) -> None:
        self._call("/actions", {"actions": sources})

    def _call(self, path: str, body: dict[str, Any] | None = None, method: str = "POST") -> Any:
        data = None if body is None else json.dumps(body).encode()
        request = urllib.request.Request(self._session + path, data, method=method)
        with urllib.request.urlopen(request, timeout=ANSWER_SECONDS) as answer:
            return json.load(answer)["value"]


@contextmanager
def webkit(folder: Path, **environment: str) -> Iterator[WebKit]:
    found, port = program("WebKitWebDriver", "webkit2gtk-driver"), free_port()
    with screen(folder) as display:
        command = [found, "--host=127.0.0.1", f"--port={port}"]
        homes = {"HOME": str(folder), "DISPLAY": display, **environment}
        with Running(command, port, folder / "webkit.log", **homes):
            engine = WebKit(f"http://127.0.0.1:{port}")
            yield engine
            engine.close()


@contextmanager
def screen(folder: Path) -> Iterator[str]:
    """A display without a monitor; its number is the first free one."""
    log = folder / "display.txt"
    command = [program("Xvfb", "xvfb"), "-displayfd", "1", "-screen", "0", "1280x900x24"]
    process = start_server(command, log, lambda: bool(number_in(log)))
    yield f":{number_in(log)}"
    stop_server(process)


def number_in(log: Path) -> str:
    return next((line for line in log.read_text().split("\n")[:-1] if line.isdigit()), "")
