"""The values that the client returns."""

from __future__ import annotations

import subprocess
import sys
from datetime import UTC, datetime, timedelta

import pytest

from keys.upstream import ApiKey, CreatedKey, KeyList, Permission, hash_of
from keys.upstream import errors as upstream_errors
from keys.upstream.errors import UpstreamError
from tests.keys.upstream.conftest import TOKEN, TOKEN_HASH

NOW = datetime.now(UTC)


def key(expiry: datetime = NOW, token_hash: str = TOKEN_HASH) -> ApiKey:
    return ApiKey(token_hash, "ci", expiry, is_session=False)


def test_a_hash_is_made_as_estuary_makes_it() -> None:
    assert hash_of(TOKEN) == TOKEN_HASH


def test_a_fingerprint_is_the_beginning_of_the_hash() -> None:
    assert key().fingerprint == "CbJQnRSJ"
    assert CreatedKey(TOKEN_HASH, "", NOW, TOKEN).fingerprint == "CbJQnRSJ"


@pytest.mark.parametrize(
    ("years", "is_permanent"), [(1, False), (49, False), (51, True), (100, True)]
)
def test_a_key_for_over_50_years_is_permanent(years: int, is_permanent: bool) -> None:
    assert key(NOW + timedelta(days=365 * years)).is_permanent is is_permanent


def test_a_key_is_expired_from_its_expiry_on() -> None:
    assert key().is_expired(NOW)
    assert not key(NOW + timedelta(microseconds=1)).is_expired(NOW)


def test_a_key_is_found_by_its_hash() -> None:
    found = KeyList((key(token_hash="A" * 43), key()))

    assert found.find(TOKEN_HASH) is found.keys[1]
    assert found.find("B" * 43) is None


def test_values_do_not_change() -> None:
    with pytest.raises(AttributeError):
        key().label = "other"  # type: ignore[misc]


def test_permissions_are_estuarys_words() -> None:
    assert [str(permission) for permission in Permission] == ["all", "upload"]


def subclasses(kind: type[UpstreamError]) -> list[type[UpstreamError]]:
    return [kind, *(found for child in kind.__subclasses__() for found in subclasses(child))]


@pytest.mark.parametrize("kind", subclasses(UpstreamError))
@pytest.mark.parametrize("maybe", [None, False, True])
def test_every_error_has_a_sentence_and_a_word(
    kind: type[UpstreamError], maybe: bool | None
) -> None:
    error = kind(maybe_carried_out=maybe)

    assert str(error) == error.sentence
    assert error.sentence.endswith(".")
    assert "{" not in error.sentence
    assert ("Nothing was changed" in error.sentence) is (maybe is False)
    assert ("may have carried it out" in error.sentence) is (maybe is True)
    assert error.maybe_carried_out is bool(maybe)


def test_every_error_has_a_word_of_its_own() -> None:
    words = [kind.code for kind in subclasses(UpstreamError)]

    assert len(set(words)) == len(words)
    assert all(word.replace("-", "").isalpha() for word in words)
    assert set(upstream_errors.UnexpectedReply.whats) <= set(
        vars(upstream_errors)["Problem"].__args__
    )


def test_the_client_needs_no_django() -> None:
    code = "import sys, keys.upstream; sys.exit(any(m.startswith('django') for m in sys.modules))"

    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0
