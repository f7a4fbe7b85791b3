"""Keys in pasted text: which tokens, hashes and fingerprints are found."""

from __future__ import annotations

import pytest

from keys.api_keys.pasted import MAX_KEYS_PER_TEXT, keys_in
from keys.upstream import hash_of

ONE = "EST11111111-1111-4111-8111-111111111111ARY"
TWO = "EST22222222-2222-4222-8222-222222222222ARY"


#: static/js/find.js finds the same key in each: tests/browser/test_find.py.
TEXTS_WITH_ONE = [
    ONE,
    f"  {ONE}\n",
    f'curl -H "Authorization: Bearer {ONE}" https://api.estuary.tech/pins',
    f"ESTUARY_TOKEN={ONE}\nDEBUG=1",
    f"2026-11-28T10:00:00Z GET /user/api-keys/{ONE} 200",
    f"GET /?token={ONE.replace('-', '%2D')}&x=1",
    f"GET /?token={ONE.replace('-', '%2d')}&x=1",
    '{"token":"' + ONE.replace("-", "\\u002d") + '"}',
    '{"token":"' + ONE.replace("-", "\\u002D") + '"}',
    f"{ONE[:20]}\n{ONE[20:]}",
    f"{ONE[:20]}\r\n  {ONE[20:]}",
    f"{ONE[:20]}\n{ONE[20:30]}\n{ONE[30:]}",
    f"{ONE[:20]}\u200b{ONE[20:]}",
    f"{ONE[:20]}\u034f{ONE[20:]}",
    f"{ONE[:20]} {ONE[20:]}",
    f"Hello,=\r\n the token is =3D {ONE[:20]}=\r\n{ONE[20:]}.\r\n",
    f"{ONE[:20]}= \n{ONE[20:]}",
    f"app-1  | TOKEN={ONE[:20]}\napp-1  | {ONE[20:]}\napp-1  | ready",
    f"> {ONE[:20]}\n> {ONE[20:]}",
    f"{ONE} and again {ONE}",
    f"{ONE}\n{ONE}",
    f"A={ONE}\nA={ONE}",
    hash_of(ONE),
    f"tokenHash: {hash_of(ONE)}, label: x",
]
TEXTS_WITH_BOTH = [
    f"A={TWO}\nB={ONE}\n",
    f"{TWO}\nTOKEN={ONE[:20]}\n{ONE[20:]}",
    f"{TWO[:20]}=\n{TWO[20:]}\n{ONE}",
    f"{TWO[:9]}\u200b{TWO[9:]} {ONE}",
    f"app | {TWO}\napp | {ONE[:20]}\napp | {ONE[20:]}\n",
    f"{TWO}\n{ONE}",
]
TEXTS_WITHOUT = ["", "short", "two words", "ESTUARY", ONE[:-3] + "…", "x" * 44]


@pytest.mark.parametrize("text", TEXTS_WITH_ONE)
def test_the_key_is_found_in_any_text_around_it(text: str) -> None:
    assert keys_in(text).hashes == (hash_of(ONE),)


@pytest.mark.parametrize("text", TEXTS_WITH_BOTH)
def test_several_tokens_are_found_in_their_order(text: str) -> None:
    assert keys_in(text).hashes == (hash_of(TWO), hash_of(ONE))


def test_a_single_word_is_taken_for_a_fingerprint() -> None:
    assert keys_in(f" {hash_of(ONE)[:8]} ").fingerprint == hash_of(ONE)[:8]


@pytest.mark.parametrize("text", TEXTS_WITHOUT)
def test_other_text_holds_no_key(text: str) -> None:
    assert not keys_in(text)


def test_the_number_of_keys_is_bounded() -> None:
    tokens = [f"EST{number:08}-1111-4111-8111-111111111111ARY" for number in range(30)]

    pasted = keys_in(" ".join(tokens))

    assert pasted.hashes == tuple(map(hash_of, tokens[:MAX_KEYS_PER_TEXT]))
    assert pasted.left_out == 10


def test_what_is_kept_of_a_text_shows_no_token() -> None:
    assert ONE not in repr(keys_in(ONE))
