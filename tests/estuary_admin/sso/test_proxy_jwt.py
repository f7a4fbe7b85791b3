"""Mode `proxy-jwt`: valid and forged assertions."""

from __future__ import annotations

import base64
import json
import time
from collections.abc import Iterator
from typing import Any

import jwt
import pytest
from cryptography.hazmat.primitives import serialization
from django.conf import LazySettings
from django.contrib.auth.models import User

from estuary_admin.sso.config import AssertionRules, Config
from estuary_admin.sso.key_sets import key_set
from estuary_admin.sso.models import Identity
from estuary_admin.sso.trusted_proxies import Peers
from keys.audit.vocabulary import Action
from tests.estuary_admin.sso.conftest import PROXY, STRANGER, Browser, change, use
from tests.estuary_admin.sso.signer import AUDIENCE, ISSUER, KeyServer, SigningKey, claims
from tests.estuary_admin.sso.test_proxy_header import refused_as
from tests.keys.evidence import last_row, words_of

PAGE = "/account/"
HEADER = "Cf-Access-Jwt-Assertion"
KEY = SigningKey("first")
OTHER = SigningKey("other")


@pytest.fixture
def keys() -> Iterator[KeyServer]:
    with KeyServer() as server:
        server.lists(KEY)
        yield server


@pytest.fixture(autouse=True)
def signed(settings: LazySettings, db: None, keys: KeyServer) -> Config:
    return use(
        settings,
        Config(
            mode="proxy-jwt",
            preset="cloudflare-access",
            peers=Peers.of([PROXY]),
            assertion=AssertionRules(HEADER, keys.url, ISSUER, (AUDIENCE,), ("RS256", "ES256")),
            user_claim="email",
            groups_claim="groups",
            admin_groups=frozenset({"console-admins"}),
        ),
    )


def browser(token: str, peer: str = PROXY) -> Browser:
    browser = Browser(peer=peer)
    browser.brings({HEADER: token})
    return browser


def refusal(token: str) -> str:
    return refused_as(browser(token).get(PAGE))


def test_a_valid_assertion_signs_a_person_in() -> None:
    assert browser(KEY.sign(claims(name="Alice Doe"))).get(PAGE).status_code == 200

    identity = Identity.objects.get()
    assert (identity.source, identity.stable_id) == (ISSUER, "7335d417-alice")
    assert identity.member.username == "alice@example.com"
    assert identity.name == "Alice Doe"


def test_a_bearer_prefix_and_elliptic_curves_work(keys: KeyServer) -> None:
    curve = SigningKey("curve", "ES256")
    keys.lists(KEY, curve)

    assert browser(f"Bearer {curve.sign(claims())}").get(PAGE).status_code == 200


def test_without_a_key_id_the_only_key_is_used(keys: KeyServer) -> None:
    assert browser(KEY.sign(claims(), kid="")).get(PAGE).status_code == 200


def test_without_a_key_id_several_keys_are_refused(keys: KeyServer) -> None:
    keys.lists(KEY, OTHER)

    assert refusal(KEY.sign(claims(), kid="")) == "unknown-key"


def test_a_renewed_assertion_keeps_the_session() -> None:
    alice = browser(KEY.sign(claims()))
    alice.get(PAGE)
    before = alice.session.session_key
    alice.brings({HEADER: KEY.sign(claims(iat=int(time.time()) - 20))})

    assert alice.get(PAGE).status_code == 200
    assert alice.session.session_key == before


def test_plain_headers_are_ignored_with_assertions(settings: Any) -> None:
    alice = browser(KEY.sign(claims()))
    alice.brought |= {"Remote-User": "root", "Cf-Access-Authenticated-User-Email": "root@x"}

    alice.get(PAGE)

    assert [member.username for member in User.objects.all()] == ["alice@example.com"]


def test_an_assertion_from_an_untrusted_peer_is_not_read(keys: KeyServer) -> None:
    stranger = browser(KEY.sign(claims()), peer=STRANGER)

    assert refused_as(stranger.get(PAGE)) == "untrusted-peer"
    assert keys.asked == 0


def encoded(part: dict[str, Any]) -> str:
    return base64.urlsafe_b64encode(json.dumps(part).encode()).decode().rstrip("=")


def hs256_with_the_public_key() -> str:
    public = KEY.private.public_key().public_bytes(
        serialization.Encoding.PEM, serialization.PublicFormat.SubjectPublicKeyInfo
    )
    head = f"{encoded({'alg': 'HS256', 'typ': 'JWT', 'kid': 'first'})}.{encoded(claims())}"
    algorithm = jwt.get_algorithm_by_name("HS256")
    signature = algorithm.sign(head.encode(), public)
    return f"{head}.{base64.urlsafe_b64encode(signature).decode().rstrip('=')}"


def unsigned(**header: Any) -> str:
    return f"{encoded({'typ': 'JWT', 'kid': 'first', **header})}.{encoded(claims())}."


def tampered() -> str:
    head, _, signature = KEY.sign(claims()).split(".")
    return f"{head}.{encoded(claims(email='root@example.com'))}.{signature}"


NOW = int(time.time())
FORGED = [
    ("alg none", lambda: unsigned(alg="none"), "wrong-algorithm"),
    ("alg None", lambda: unsigned(alg="None"), "wrong-algorithm"),
    ("no alg", lambda: unsigned(), "wrong-algorithm"),
    ("alg of nobody", lambda: unsigned(alg=["RS256"]), "wrong-algorithm"),
    ("hs256", hs256_with_the_public_key, "wrong-algorithm"),
    ("unsigned rs256", lambda: unsigned(alg="RS256"), "wrong-signature"),
    ("rs256 as es256", lambda: unsigned(alg="ES256"), "wrong-algorithm"),
    ("tampered", tampered, "wrong-signature"),
    ("wrong key", lambda: OTHER.sign(claims(), kid="first"), "wrong-signature"),
    ("unknown kid", lambda: OTHER.sign(claims()), "unknown-key"),
    ("no kid", lambda: OTHER.sign(claims(), kid=""), "wrong-signature"),
    ("audience", lambda: KEY.sign(claims(aud=["another"])), "wrong-audience"),
    ("issuer", lambda: KEY.sign(claims(iss=f"{ISSUER}/")), "wrong-issuer"),
    ("expired", lambda: KEY.sign(claims(exp=int(time.time()) - 31)), "expired"),
    ("not yet", lambda: KEY.sign(claims(nbf=int(time.time()) + 60)), "not-yet-valid"),
    ("from the future", lambda: KEY.sign(claims(iat=int(time.time()) + 60)), "not-yet-valid"),
    *(
        (f"no {name}", lambda name=name: KEY.sign(claims(**{name: None})), "incomplete-assertion")
        for name in ("exp", "iat", "aud", "iss")
    ),
    ("access token", lambda: KEY.sign(claims(), typ="at+jwt"), "not-an-assertion"),
    ("unknown crit", lambda: KEY.sign(claims(), crit=["x"], x=1), "not-an-assertion"),
    ("not a token", lambda: "alice", "not-an-assertion"),
    ("doubled", lambda: f"{KEY.sign(claims())},{KEY.sign(claims())}", "not-an-assertion"),
    ("deep", lambda: f"{base64.b64encode(b'[' * 6000).decode()}.e30.", "not-an-assertion"),
    ("empty", lambda: "", "missing-identity"),
]


@pytest.mark.parametrize(
    ("make", "reason"), [case[1:] for case in FORGED], ids=[case[0] for case in FORGED]
)
def test_a_forged_assertion_is_refused(make: Any, reason: str) -> None:
    assert refusal(make()) == reason
    assert not User.objects.exists()


PROGRAMS = [
    {"email": None},
    {"email": "", "sub": "", "common_name": "token.access"},  # Cloudflare Access
    {"sub": ""},
    {"email": "job@project.iam.gserviceaccount.com"},  # Google IAP
    {"gty": "client-credentials"},
]


@pytest.mark.parametrize("changed", PROGRAMS)
def test_service_tokens_are_refused(changed: dict[str, Any]) -> None:
    assert refusal(KEY.sign(claims(**changed))) == "no-person"


@pytest.mark.parametrize(
    "changed",
    [
        {"email": "alice,root@x"},
        {"email": 7, "name": "Alice"},
        {"sub": "a\nb"},
        {"sub": 7335},
        {"sub": "\u3164"},
        {"groups": {"a": 1}},
        {"groups": [1]},
    ],
)
def test_a_malformed_claim_is_refused_without_blaming_a_header(changed: dict[str, Any]) -> None:
    response = browser(KEY.sign(claims(**changed))).get(PAGE)

    assert refused_as(response) == "malformed-claim"
    assert "header" not in words_of(response)


def test_a_malformed_display_name_is_left_empty() -> None:
    assert browser(KEY.sign(claims(name="a\u0000b"))).get(PAGE).status_code == 200
    assert Identity.objects.get().name == ""


def test_an_unverified_email_address_is_refused_as_a_name() -> None:
    assert refusal(KEY.sign(claims(email_verified=False))) == "incomplete-assertion"


@pytest.mark.parametrize("name", ["jku", "x5u", "jwk", "x5c"])
def test_keys_named_by_the_assertion_are_ignored(name: str) -> None:
    with KeyServer() as elsewhere:
        elsewhere.lists(OTHER)
        own = {"jku": elsewhere.url, "x5u": elsewhere.url, "jwk": OTHER.public, "x5c": ["MII"]}

        assert refusal(OTHER.sign(claims(), kid="first", **{name: own[name]})) == "wrong-signature"
        assert refusal(OTHER.sign(claims(), **{name: own[name]})) == "unknown-key"
        assert elsewhere.asked == 0


def test_groups_in_the_assertion_decide_the_role() -> None:
    other = claims(sub="other", email="other@example.com", groups=["console-admins"])
    assert browser(KEY.sign(other)).get(PAGE).status_code == 200
    alice = browser(KEY.sign(claims(groups=["console-admins", "x"])))
    assert alice.get("/admin-tools/sso/").status_code == 200

    alice.brings({HEADER: KEY.sign(claims(groups=[]))})

    assert alice.get("/admin-tools/sso/").status_code == 403
    assert last_row(Action.SSO_ADMIN_TAKEN).actor_name == "alice@example.com"


def test_a_single_group_may_be_a_string(settings: Any) -> None:
    change(settings, member_groups=frozenset({"console"}))

    assert browser(KEY.sign(claims(groups="console"))).get(PAGE).status_code == 200
    assert refusal(KEY.sign(claims(groups=""))) == "not-in-groups"


def test_a_process_has_one_key_set_for_each_address(signed: Config) -> None:
    assert signed.assertion
    assert key_set(signed.assertion.jwks_url) is key_set(signed.assertion.jwks_url)


@pytest.mark.parametrize("at", ["long ago", 1e300, None])
def test_an_invalid_auth_time_is_ignored(at: Any) -> None:
    token = KEY.sign(claims(auth_time=at, sub="x"))

    assert browser(token).get(PAGE).status_code == 200
