"""Keys in pasted text: which tokens, hashes and fingerprints are found."""

from __future__ import annotations

import pytest

from keys.api_keys.pasted import MAX_KEYS_PER_TEXT, keys_in
from keys.upstream import hash_of

ONE = "EST11111111-1111-4111-8111-111111111111ARY"
TWO = "EST22222222-2222-4222-8222-222222222222ARY"


@pytest.mark.parametrize(
    "text",
    [
        ONE,
        f"  {ONE}\n",
        f'curl -H "Authorization: Bearer {ONE}" https://api.estuary.tech/pins',
        f"ESTUARY_TOKEN={ONE}\nDEBUG=1",
        f"2026-11-28T10:00:00Z GET /user/api-keys/{ONE} 200",
        f"GET /?token={ONE.replace('-', '%2D')}&x=1",
        f"GET /?token={ONE.replace('-', '%2d')}&x=1",
        f"{ONE[:20]}\n{ONE[20:]}",
        f"{ONE[:20]}\u200b{ONE[20:]}",
        f"{ONE} and again {ONE}",
        hash_of(ONE),
        f"tokenHash: {hash_of(ONE)}, label: x",
    ],
)
def test_the_key_is_found_in_any_text_around_it(text: str) -> None:
    assert keys_in(text).hashes == (hash_of(ONE),)


def test_several_tokens_are_found_in_their_order() -> None:
    assert keys_in(f"A={TWO}\nB={ONE}\n").hashes == (hash_of(TWO), hash_of(ONE))


def test_a_single_word_is_taken_for_a_fingerprint() -> None:
    assert keys_in(f" {hash_of(ONE)[:8]} ").fingerprint == hash_of(ONE)[:8]


@pytest.mark.parametrize("text", ["", "short", "two words", "ESTUARY", ONE[:-3] + "…", "x" * 44])
def test_other_text_holds_no_key(text: str) -> None:
    assert not keys_in(text)


def test_the_number_of_keys_is_bounded() -> None:
    tokens = [f"EST{number:08}-1111-4111-8111-111111111111ARY" for number in range(30)]

    pasted = keys_in(" ".join(tokens))

    assert pasted.hashes == tuple(map(hash_of, tokens[:MAX_KEYS_PER_TEXT]))
    assert pasted.left_out == 10


def test_what_is_kept_of_a_text_shows_no_token() -> None:
    assert ONE not in repr(keys_in(ONE))
