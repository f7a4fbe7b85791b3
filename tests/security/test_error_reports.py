"""Reports of crashes, by mail and on the debug page, hold no token."""

from __future__ import annotations

import logging
import sys
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any, NoReturn
from uuid import uuid4

import pytest
from django.contrib.auth.models import User
from django.core import mail
from django.core.mail import EmailMultiAlternatives
from django.test import Client
from django.utils.log import AdminEmailHandler

from estuary_admin.observability.error_reports import TokenFreeReporter
from keys.sandbox import Sandbox
from keys.sandbox.estuary.state import User as Account
from keys.upstream import hash_of
from tests.keys.api_keys.test_key_create import URL, form_of
from tests.security.spellings import assert_holds_none
from tests.security.witness import WatchedClient

# What crashes in the middle of a call leaves its socket to the garbage collector.
pytestmark = pytest.mark.filterwarnings("ignore:unclosed <socket:ResourceWarning")


def crash(*_: object, **__: object) -> NoReturn:
    raise RuntimeError("a fault of ours")


@dataclass(frozen=True)
class Hand:
    """What is at hand when it crashes."""

    browser: Client
    old: str  # the token of a key that Estuary lists in clear
    token: str
    filled: dict[str, str]  # a form to create a key


def list_keys(hand: Hand) -> None:
    hand.browser.get("/keys/")


def create(hand: Hand) -> None:
    hand.browser.post(URL, hand.filled)


def revoke(hand: Hand) -> None:
    hand.browser.post(f"/keys/{hash_of(hand.old)}/revoke/")


def connect(hand: Hand) -> None:
    hand.browser.post("/account/token/", {"token": f"Authorization: Bearer {hand.token}"})


def sign_in_with_it(hand: Hand) -> None:
    hand.browser.logout()
    hand.browser.post("/accounts/login/", {"login": hand.token, "password": hand.token})


def search(hand: Hand) -> None:
    here = {"Referer": f"http://testserver/keys/?q={hand.token}"}
    hand.browser.get("/keys/", {"q": hand.token}, headers=here)


CRASHES: list[tuple[str, Callable[[Hand], None]]] = [
    ("keys.token.stored_tokens.ConsoleClient", list_keys),
    ("keys.upstream.client.Node", list_keys),
    ("keys.upstream.node.send", list_keys),
    ("keys.upstream.adapter._session", revoke),
    ("keys.upstream.deadlines._Connection.send", list_keys),
    ("requests.sessions.extract_cookies_to_jar", revoke),
    ("keys.upstream.schemas._current", list_keys),
    ("keys.upstream.schemas.KeyList", list_keys),
    ("keys.upstream.schemas.CreatedKey", create),
    ("keys.api_keys.create.record_action", create),
    ("keys.api_keys.create.record_conclusion", create),
    ("keys.api_keys.views.key_create.render_page", create),
    ("keys.upstream.client._revoke_target", revoke),
    ("keys.upstream.node.read_reply", revoke),
    ("keys.token.stored_tokens.hash_of", connect),
    ("keys.token.stored_tokens.forget_list", connect),
    ("estuary_admin.secrets.sealing.os.urandom", connect),
    ("keys.token.forms.bare_token", connect),
    ("keys.token.views.connect_token", connect),
    ("estuary_admin.security.account_adapter.client_address", sign_in_with_it),
    ("keys.api_keys.views.key_list.hash_of", search),
]


@pytest.fixture
def mailer(settings: Any) -> Iterator[None]:
    settings.ADMINS = [("operator", "operator@example.com")]
    handler = AdminEmailHandler(include_html=True)
    handler.setLevel(logging.ERROR)
    logging.getLogger("django.request").addHandler(handler)
    yield
    logging.getLogger("django.request").removeHandler(handler)


@pytest.mark.parametrize("is_debug", [False, True], ids=["production", "debug"])
@pytest.mark.parametrize(
    ("place", "ask"), CRASHES, ids=[f"{ask.__name__}-{place}" for place, ask in CRASHES]
)
def test_no_report_of_a_crash_holds_a_token(
    browser: Client,
    alice: User,
    node: Sandbox,
    account: Account,
    token: str,
    settings: Any,
    mailer: None,
    monkeypatch: pytest.MonkeyPatch,
    place: str,
    ask: Callable[[Hand], None],
    is_debug: bool,
) -> None:
    settings.DEBUG = is_debug
    shown: list[tuple[str, str]] = []
    victim = WatchedClient(shown, raise_request_exception=False)
    victim.force_login(alice)
    hand = Hand(victim, node.add_key(account, era="legacy"), token, form_of(victim))
    with monkeypatch.context() as broken:
        broken.setattr(place, crash)
        ask(hand)

    [sent] = mail.outbox
    assert "a fault of ours" in str(sent.message())
    assert isinstance(sent, EmailMultiAlternatives)
    mailed = [("mail", str(part)) for part in (sent.subject, sent.body, *sent.alternatives)]
    for where, text in [*mailed, *shown]:
        assert_holds_none(text, list(node.state.keys), where)


@pytest.mark.parametrize("is_debug", [False, True], ids=["production", "debug"])
def test_a_long_value_cut_within_a_token_shows_nothing_of_it(settings: Any, is_debug: bool) -> None:
    settings.DEBUG = is_debug
    token = f"EST{uuid4()}ARY"
    for length in range(4040, 4096, 5):
        try:
            crash("x" * length + token)
        except RuntimeError:
            reporter = TokenFreeReporter(None, *sys.exc_info())
        for text in (reporter.get_traceback_text(), reporter.get_traceback_html()):
            assert "a fault of ours" in text
            assert token[:10] not in text
            assert token[-10:] not in text
