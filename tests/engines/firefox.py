"""Firefox, driven by WebDriver BiDi."""

from __future__ import annotations

import json
from collections.abc import Iterator
from contextlib import contextmanager
from itertools import count
from pathlib import Path
from typing import Any

from websockets.sync.client import ClientConnection, connect

from tests.engines.engine import ANSWER_SECONDS, Engine
from tests.support.processes import free_port
from tests.support.programs import Running, program


class Firefox(Engine):
    def __init__(self, socket: ClientConnection) -> None:
        self._socket, self._numbers = socket, count(1)
        self._call("session.new", capabilities={"alwaysMatch": {"acceptInsecureCerts": True}})
        self._window = self._call("browsingContext.getTree")["contexts"][0]["context"]

    def go(self, address: str) -> None:
        self._call("browsingContext.navigate", context=self._window, url=address, wait="complete")

    def run(self, expression: str) -> Any:
        # As text: BiDi wraps each value in a type.
        script = f"Promise.resolve({expression}).then((value) => JSON.stringify(value ?? null))"
        target = {"context": self._window}
        done = self._call("script.evaluate", expression=script, target=target, awaitPromise=True)
        return json.loads(done["result"]["value"])

    def travel(self, steps: int) -> None:
        self._call("browsingContext.traverseHistory", context=self._window, delta=steps)

    def _perform(self, sources: list[dict[str, Any]]) -> None:
        self._call("input.performActions", context=self._window, actions=sources)

    def _call(self, method: str, **parameters: Any) -> Any:
        number = next(self._numbers)
        self._socket.send(json.dumps({"id": number, "method": method, "params": parameters}))
        while True:
            answer = json.loads(self._socket.recv(ANSWER_SECONDS))
            if answer.get("id") == number:  # not an event
                assert answer["type"] == "success", answer
                return answer["result"]


@contextmanager
def firefox(folder: Path) -> Iterator[Firefox]:
    found, port = program("firefox-esr", "firefox-esr"), free_port()
    profile = folder / "profile"
    profile.mkdir()
    command = [found, "--headless", "--no-remote", "--profile", str(profile)]
    command += ["--remote-debugging-port", str(port), "about:blank"]
    homes = {"HOME": str(folder), "MOZ_DISABLE_CONTENT_SANDBOX": "1"}
    with (
        Running(command, port, folder / "firefox.log", **homes),
        connect(f"ws://127.0.0.1:{port}/session", proxy=None, max_size=None) as socket,
    ):
        yield Firefox(socket)
