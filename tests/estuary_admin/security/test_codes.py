"""A code is accepted once, in whatever spelling, and is in no log."""

from __future__ import annotations

import time
import warnings
from typing import Any

import pytest
from allauth.mfa.models import Authenticator
from allauth.mfa.recovery_codes.internal.auth import RecoveryCodes
from django.contrib.auth.models import User
from django.core.cache import cache
from django.core.cache.backends.base import CacheKeyWarning
from django.test import Client

from tests.conftest import signed_in
from tests.estuary_admin.security.conftest import (
    CODE,
    PAGE,
    code_of,
    is_in,
    prove,
    recovery_codes_of,
    type_password,
)
from tests.estuary_admin.security.test_factors import add_app
from tests.keys.evidence import words_of

#: How people, apps and keyboards write six digits.
SPELLINGS = [
    "{0}{1}",
    "{0} {1}",
    " {0}{1} ",
    "{0}-{1}",
    "{0}.{1}",
    "{0}\t{1}",
    "{0}\u00a0{1}",
    "{0}\u2009{1}",
    "\u200b{0}{1}\ufeff",
    "{0}\u2013{1}",
]


def spelt(code: str, how: str) -> str:
    return how.format(code[:3], code[3:])


def wide(code: str) -> str:
    return "".join(chr(ord(digit) + 0xFEE0) for digit in code)


def is_accepted(code: str) -> bool:
    client = Client()
    type_password(client)
    client.post(CODE, {"code": code})
    return is_in(client)


@pytest.mark.parametrize("how", SPELLINGS)
def test_a_code_is_accepted_once_in_any_spelling(app: Authenticator, clock: Any, how: str) -> None:
    code = code_of()

    assert is_accepted(spelt(code, how))
    for again in SPELLINGS:
        cache.clear()  # the limit for wrong codes would refuse them as well
        assert not is_accepted(spelt(code, again))


def test_wide_digits_are_digits(app: Authenticator, clock: Any) -> None:
    code = code_of()

    assert is_accepted(wide(code))
    assert not is_accepted(code)


def test_a_recovery_code_is_accepted_once_in_any_spelling(alice: User, app: Authenticator) -> None:
    code = recovery_codes_of(alice)[0]

    assert is_accepted(f" {code[:4]}\u00a0{code[4:]} ")
    assert not is_accepted(code)


def test_a_code_used_to_sign_in_does_not_confirm(
    app: Authenticator, alice: User, clock: Any
) -> None:
    client = signed_in(alice)
    clock.shift(16 * 60)
    code = code_of()
    assert is_accepted(code)

    assert prove(client, "/keys/new/", way="code", code=spelt(code, "{0} {1}")).status_code == 200
    assert client.get("/keys/new/").status_code == 302
    clock.shift(30)
    assert prove(client, "/keys/new/", way="code", code=code_of()).status_code == 302


def test_a_code_from_before_the_last_one_is_refused(app: Authenticator, clock: Any) -> None:
    earlier = code_of()
    clock.shift(30)
    assert is_accepted(code_of())

    assert not is_accepted(earlier)


@pytest.mark.parametrize("how", SPELLINGS)
def test_the_code_that_added_the_app_does_not_sign_in(alice: User, clock: Any, how: str) -> None:
    _, secret = add_app(signed_in(alice))
    code = code_of(secret)

    assert not is_accepted(spelt(code, how))
    clock.shift(30)
    assert is_accepted(code_of(secret))


def test_a_code_with_blanks_is_in_no_warning_and_no_log(
    app: Authenticator, clock: Any, caplog: pytest.LogCaptureFixture, capfd: Any
) -> None:
    code = code_of()
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        assert is_accepted(spelt(code, "{0} {1}"))
        assert not is_accepted(spelt(code, "{0} {1}"))

    out = "".join(capfd.readouterr())
    assert not [one for one in caught if issubclass(one.category, CacheKeyWarning)]
    for text in (code, spelt(code, "{0} {1}")):
        assert text not in caplog.text + out


def test_a_code_is_accepted_while_the_cache_keeps_nothing(
    app: Authenticator, clock: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(
        "django.core.cache.backends.db.DatabaseCache.get", lambda _, __, default=None: default
    )
    code = code_of()

    assert is_accepted(code)
    assert not is_accepted(code)


@pytest.mark.parametrize("code", ["1" * 200_000, "\u200b" * 5000, "-" * 100, "١٢٣٤٥٦", "½½½½½½"])
def test_odd_codes_are_refused(app: Authenticator, code: str) -> None:
    assert not is_accepted(code)


@pytest.mark.parametrize(
    ("used", "words"),
    [(8, "2 of 10 are left."), (9, "1 of 10 is left."), (10, "All codes are used.")],
)
def test_the_page_of_recovery_codes_counts_those_that_are_left(
    alice: User, app: Authenticator, used: int, words: str
) -> None:
    codes = RecoveryCodes(Authenticator.objects.get(type=Authenticator.Type.RECOVERY_CODES))
    for code in recovery_codes_of(alice)[:used]:
        codes.validate_code(code)
    client = signed_in(alice)
    session = client.session
    session["proved_at"] = time.time()
    session.save()

    page = words_of(client.get(f"{PAGE}codes/"))

    assert words in page
    assert ("You can see them here again" in page) is (used < 10)
