"""A visitor without a browser, who keeps cookies and sends the forms of pages."""

from __future__ import annotations

import copy
import re
import time
from dataclasses import dataclass
from html import unescape
from http.cookiejar import CookieJar
from typing import Self
from urllib.error import HTTPError
from urllib.parse import urlencode
from urllib.request import HTTPCookieProcessor, Request, build_opener

from tests.support.console import PASSWORD

HIDDEN = re.compile(r'<input type="hidden" name="(\w+)" value="([^"]*)"')


@dataclass(frozen=True)
class Answer:
    url: str
    status: int
    text: str
    seconds: float

    @property
    def words(self) -> str:
        """The text of the page, without markup."""
        body = self.text.partition("<main")[2]
        return " ".join(unescape(re.sub(r"<[^>]*>", " ", body)).split())

    @property
    def hidden(self) -> dict[str, str]:
        return {name: unescape(value) for name, value in HIDDEN.findall(self.text)}


class Visitor:
    """`address` is the client address, sent as a proxy sends it."""

    def __init__(self, address: str = "203.0.113.1") -> None:
        self._address = address
        self._cookies = CookieJar()
        self._opener = build_opener(HTTPCookieProcessor(self._cookies))

    def get(self, url: str) -> Answer:
        return self._open(Request(url))

    def post(self, url: str, form: dict[str, str]) -> Answer:
        return self._open(Request(url, urlencode(form).encode(), {"Referer": url}))

    def submit(self, url: str, **typed: str) -> Answer:
        """Open a page and send its form with what is typed."""
        return self.post(url, self.get(url).hidden | typed)

    def sign_in(self, machine: str, name: str) -> None:
        answer = self.try_to_sign_in(machine, name, PASSWORD)
        assert "/accounts/" not in answer.url, answer.words

    def try_to_sign_in(self, machine: str, name: str, password: str) -> Answer:
        return self.submit(f"{machine}/accounts/login/", login=name, password=password)

    def twin(self) -> Self:
        """The same session in another tab."""
        other = type(self)(self._address)
        for cookie in self._cookies:
            other._cookies.set_cookie(copy.copy(cookie))
        return other

    def _open(self, request: Request) -> Answer:
        request.add_header("X-Forwarded-For", self._address)
        began = time.monotonic()
        try:
            reply = self._opener.open(request, timeout=60)
        except HTTPError as error:
            reply = error
        with reply:
            text = reply.read().decode()
        return Answer(reply.url, reply.status, text, time.monotonic() - began)
