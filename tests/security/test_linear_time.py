"""Text that strangers choose costs no more than its length: twice the text, twice the time."""

from __future__ import annotations

import json
import logging
import time
from collections.abc import Callable
from contextlib import suppress
from typing import Any
from urllib.parse import urlencode

import pytest
from django.core.cache import caches
from django.core.exceptions import ValidationError
from django.test import Client

from estuary_admin.observability.error_reports import TokenFreeReporter
from estuary_admin.observability.logging import JsonFormatter, LineFormatter
from estuary_admin.sso.assertion import token_in
from estuary_admin.sso.identity_values import decoded_words, groups_in, username_of
from estuary_admin.sso.refusals import Refused
from estuary_admin.unicode_text import shows_something, without_invisible
from keys.api_keys.forms import KeyCreateForm, KeyFindForm
from keys.api_keys.pasted import keys_in
from keys.api_keys.query import KeyQuery
from keys.api_keys.rows import name_of
from keys.sandbox import Sandbox
from keys.sandbox.estuary.state import User as Account
from keys.token.forms import TokenConnectForm, bare_token
from keys.upstream import DurationError, EstuaryClient, UpstreamError, adapter, parse_lifetime
from keys.upstream.adapter import Reply
from keys.upstream.error_mapping import refusal
from keys.upstream.export import BraceCount, Utf8Check
from keys.upstream.redaction import holds_token, pasted_token, redact, with_hashes
from keys.upstream.schemas import Listing, read_keys
from tests.keys.upstream.server import ScriptedNode, json_reply

SIZE = 256 * 1024
LABEL_SIZE = 60 * 1024
#: For twice the text; 2 is linear, 4 is quadratic. Caches that other processes fill count too.
MOST_GROWTH = 3.0
ENOUGH = 0.008  # seconds of CPU time that one measurement takes at least
ROUNDS = 40  # one of them must show that the growth is small

#: Each is the worst for some pattern: it begins a match again and again and never completes it.
UNITS = {
    "begins": "EST",
    "name of Estuary": "ESTUARY",
    "long begin": "ESTa-0123456789ab",
    "whole tokens": "EST11111111-1111-4111-8111-111111111111ARY ",
    "ends": "ARY",
    "capitals": "EST0123-ABCDEF",
    "zeros": "0",
    "parts": "1h",
    "blanks": " ",
    "lines": "x\n",
    "tabs and lines": "\t\n",
    "lines of a log": "a|EST0123456789\n",
    "quotes": "'\"",
    "backslashes": "\\",
    "braces": "{",
    "percents": "%45",
    "dots": "a.",
    "commas": "a,",
    "encoded words": "=?utf-8?q?",
    "invisible": "\u200b",
    "combining": "\u0301\u0316",
    "markup": "<&",
    "letters": "a",
}


def read_label(label: str) -> object:
    row = {"tokenHash": "A" * 43, "label": label, "expiry": "2126-10-31T18:13:57Z"}
    return read_keys(json.dumps([row]).encode())


def read_token(token: str) -> object:
    row = {"token": token, "label": "x", "expiry": "2126-10-31T18:13:57Z"}
    return read_keys(json.dumps([row]).encode())


def read_error(details: str) -> object:
    body = json.dumps({"error": {"reason": details, "details": details}}).encode()
    return refusal(Reply(500, True, details, True, body), is_change=True)


def log_line(formatter: logging.Formatter) -> Callable[[str], object]:
    return lambda text: formatter.format(
        logging.LogRecord("estuary_admin", logging.INFO, "", 1, "%s", (text,), None)
    )


def check_export(text: str) -> object:
    braces, utf8 = BraceCount(), Utf8Check()
    braces.add(text.encode())
    return utf8.goes_on(text.encode()) and braces.is_closed


def report(text: str) -> object:
    try:
        int(text)
    except ValueError as error:
        return TokenFreeReporter(None, ValueError, error, error.__traceback__).get_traceback_text()
    return None


def full_clean(form: type[Any], field: str) -> Callable[[str], object]:
    return lambda text: form({field: text, "lifetime": "custom", "permission": "all"}).is_valid()


PLACES: dict[str, Callable[[str], object]] = {
    "redact": redact,
    "holds_token": holds_token,
    "pasted_token": pasted_token,
    "with_hashes": with_hashes,
    "parse_lifetime": parse_lifetime,
    "a label at the node": read_label,
    "a token at the node": read_token,
    "an error of the node": read_error,
    "an export": check_export,
    "a log line": log_line(LineFormatter()),
    "a log line in JSON": log_line(JsonFormatter()),
    "an error report": report,
    "bare_token": bare_token,
    "connect form": full_clean(TokenConnectForm, "token"),
    "find form": full_clean(KeyFindForm, "text"),
    "keys_in": keys_in,
    "create form, label": full_clean(KeyCreateForm, "label"),
    "create form, custom_lifetime": full_clean(KeyCreateForm, "custom_lifetime"),
    "create form, other": full_clean(KeyCreateForm, "other"),
    "without_invisible": without_invisible,
    "shows_something": shows_something,
    "name_of": lambda text: name_of(read_keys_of(text), "A" * 43),
    "search": lambda text: KeyQuery.from_params({"q": text, "status": text, "page": text}),
    "assertion": token_in,
    "username": username_of,
    "groups": lambda text: groups_in(text, ","),
    "encoded words": decoded_words,
}
REFUSALS = (DurationError, Refused, UnicodeError, ValidationError, UpstreamError)


def read_keys_of(label: str) -> Any:
    listing = read_label(label)
    return listing.keys.keys[0] if isinstance(listing, Listing) else None


def text_of(unit: str, size: int) -> str:
    return (unit * (size // len(unit) + 1))[:size]


def spent(work: Callable[[], object], repeats: int) -> float:
    """CPU time of this thread: neither other processes nor a node in another thread count."""
    began = time.thread_time()
    for _ in range(repeats):
        with suppress(*REFUSALS):
            work()
    return time.thread_time() - began


def assert_linear(work: Callable[[str], object], unit: str, size: int = SIZE) -> None:
    once, twice = text_of(unit, size), text_of(unit, 2 * size)
    first = spent(lambda: work(once), 1)
    repeats = max(1, round(ENOUGH / max(first, 1e-6)))
    short, long = [], []
    for _ in range(ROUNDS):
        short.append(spent(lambda: work(once), repeats))
        long.append(spent(lambda: work(twice), repeats))
        if min(long) <= MOST_GROWTH * min(short):
            return
    pytest.fail(f"twice the text took {min(long) / min(short):.1f} times the time")


@pytest.mark.parametrize("place", PLACES)
def test_twice_the_text_costs_at_most_three_times_the_time(place: str) -> None:
    for unit in UNITS.values():
        assert_linear(PLACES[place], unit)


@pytest.mark.django_db
@pytest.mark.parametrize("unit", ["begins", "long begin", "combining", "blanks", "percents"])
@pytest.mark.parametrize("field", ["login", "password", "next", "other"])
def test_a_form_of_somebody_signed_out_costs_no_more_than_its_length(field: str, unit: str) -> None:
    client = Client()

    def sign_in(text: str) -> None:
        body = urlencode({"login": "eve", "password": "wrong", field: text})
        client.post("/accounts/login/", body, content_type="application/x-www-form-urlencoded")

    assert_linear(sign_in, UNITS[unit])


@pytest.mark.parametrize("unit", UNITS)
def test_a_long_label_at_the_node_costs_the_list_no_more_than_its_length(
    browser: Client, node: Sandbox, account: Account, unit: str
) -> None:
    def show(text: str) -> None:
        token = node.add_key(account, label=text)
        caches["key_lists"].clear()
        page = browser.get("/keys/?sort=label").content
        assert browser.get("/keys/?q=a&sort=label").status_code == 200
        assert len(page) > len(text) or "EST" in text or not shows_something(text)
        node.remove_key(token)

    assert_linear(show, UNITS[unit], LABEL_SIZE)


@pytest.mark.parametrize("unit", ["a;", 'a="b";', "a=b; expires=", 'a="\\'])
@pytest.mark.parametrize("header", ["Set_Cookie", "Set_Cookie2", "Retry_After", "Date"])
def test_a_long_header_of_the_node_costs_no_more_than_its_length(header: str, unit: str) -> None:
    def ask(text: str) -> None:
        headers: dict[str, Any] = {"Set_Cookie": "a=b", header: text}
        with ScriptedNode(json_reply({"totalSize": 1, "numPins": 1}, **headers)) as estuary:
            EstuaryClient(estuary.url, "ESTxARY").stats()
            adapter._sessions.clear()

    assert_linear(ask, unit, 30_000)


def test_the_measure_finds_what_is_quadratic() -> None:
    def scan(text: str) -> int:
        return sum(text.find("ARY", start) for start in range(0, len(text), 30))

    with pytest.raises(pytest.fail.Exception, match="times the time"):
        assert_linear(scan, "EST", 30_000)
