"""The ways in which Estuary can fail, and what every page must be like then."""

from __future__ import annotations

import re
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import urlsplit

from django.test import Client

from keys.sandbox import Fault, Sandbox
from tests.keys.evidence import words_of
from tests.security.spellings import assert_holds_none
from tests.support.processes import free_port

TIMEOUT = 0.7  # seconds, as ESTUARY_TIMEOUT

#: By name; `elsewhere` is the address of another host, which must never be asked.
FAULTS: dict[str, Callable[[str], Fault]] = {
    "never answering": lambda _: Fault("never"),
    "dripping": lambda _: Fault("drip", seconds=0.2),
    "dripping body": lambda _: Fault("drip-body", seconds=0.2),
    "reset before the work": lambda _: Fault("reset-before"),
    "reset after the work": lambda _: Fault("reset-after"),
    "late": lambda _: Fault("delay", seconds=TIMEOUT * 1.5),
    "unknown token": lambda _: Fault("401-unknown"),
    "expired token": lambda _: Fault("401-expired"),
    "upload-only token": lambda _: Fault("403-upload"),
    "404": lambda _: Fault("404"),
    "429": lambda _: Fault("429"),
    "429 with Retry-After": lambda _: Fault("429", retry_after=120),
    "500": lambda _: Fault("500"),
    "500 after the work": lambda _: Fault("500-after"),
    "502 with HTML": lambda _: Fault("502-html"),
    "200 with HTML": lambda _: Fault("html"),
    "wrong content type": lambda _: Fault("wrong-type"),
    "truncated": lambda _: Fault("truncated"),
    "truncated JSON": lambda _: Fault("truncated-json"),
    "null": lambda _: Fault("null"),
    "an object": lambda _: Fault("object"),
    "invalid UTF-8": lambda _: Fault("invalid-utf8"),
    "100 MB": lambda _: Fault("huge"),
    "redirect": lambda elsewhere: Fault("redirect", location=elsewhere),
}
UNREACHABLE = ["refused", "no such host"]
ALL = [*FAULTS, *UNREACHABLE]
#: One for each sentence, and for each step at which a call can fail.
TYPICAL = [
    "never answering",
    "reset before the work",
    "reset after the work",
    "unknown token",
    "429",
    "500",
    "200 with HTML",
    "null",
    "refused",
]

SENTENCE = re.compile(
    r"Estuary (could not be reached|could not be found|did not answer in time|does not know|"
    r"refuses|failed while|is busy|does not allow|cannot export)|Estuary's (answer|address)|"
    r"connection to Estuary broke off|key (has expired|is upload only)|"
    r"Something answered at Estuary"
)


@dataclass
class Visit:
    """One request under one fault, and what is asserted of every answer."""

    response: Any
    seconds: float
    tokens: list[str] = field(repr=False)

    @property
    def words(self) -> str:
        return words_of(self.response)

    def assert_told(self) -> None:
        """A page, in time, with a sentence and a way on, and no token in it."""
        assert_in_time(self.seconds)
        assert self.response.status_code in {200, 404, 409, 429, 502}
        assert SENTENCE.search(self.words), self.words
        body = self.response.content.decode()
        assert "<a " in body or "<form" in body
        assert_holds_none(body, self.tokens)


def assert_in_time(seconds: float) -> None:
    """ESTUARY_TIMEOUT, and what a page of our own takes on a busy machine.

    A call without a deadline takes ten times as long; `test_deadlines.py` looks more closely.
    """
    assert seconds <= TIMEOUT + 4


def visit(
    settings: Any,
    node: Sandbox,
    endpoint: str,
    fault: str,
    request: Callable[[], Any],
    elsewhere: str = "http://127.0.0.1:9/",
) -> Visit:
    """Switch a fault on, make the request, and switch it off again."""
    there = settings.ESTUARY_API_URL
    patience = settings.ESTUARY_TIMEOUT, settings.ESTUARY_EXPORT_TIMEOUT
    settings.ESTUARY_TIMEOUT = settings.ESTUARY_EXPORT_TIMEOUT = TIMEOUT
    if fault == "refused":
        settings.ESTUARY_API_URL = urlsplit(f"http://127.0.0.1:{free_port()}")
    elif fault == "no such host":
        settings.ESTUARY_API_URL = urlsplit("http://no-such-host.invalid")
    else:
        node.set_fault(endpoint, FAULTS[fault](elsewhere))
    started = time.monotonic()
    response = request()
    seconds = time.monotonic() - started
    node.clear_faults()
    settings.ESTUARY_API_URL = there
    settings.ESTUARY_TIMEOUT, settings.ESTUARY_EXPORT_TIMEOUT = patience
    return Visit(response, seconds, list(node.state.keys))


def get(browser: Client, path: str, **headers: str) -> Callable[[], Any]:
    return lambda: browser.get(path, headers=headers)


def post(browser: Client, path: str, data: dict[str, str], **headers: str) -> Callable[[], Any]:
    return lambda: browser.post(path, data, headers=headers, follow=True)
