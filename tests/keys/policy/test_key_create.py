"""The policy on the page that creates keys: said beforehand, then kept."""

from __future__ import annotations

import re
from html import unescape
from typing import Any

import pytest
from django.contrib.auth.models import User
from django.test import Client

from keys.actors import Actor
from keys.api_keys.create import create_key
from keys.api_keys.forms import KeyCreateForm
from keys.models import KeyCreation, StoredToken
from keys.policy.rules import NoEnd, Policy, PolicyRefused
from keys.sandbox import Sandbox
from keys.upstream import KeySpec, Permission
from tests.conftest import connect, signed_in

URL = "/keys/new/"


@pytest.fixture
def policy(settings: Any) -> Any:
    def given(**values: str) -> None:
        settings.POLICY = settings.POLICY | {f"POLICY_{name}": one for name, one in values.items()}

    return given


def words(response: Any) -> str:
    return " ".join(unescape(re.sub(r"<[^>]*>", " ", response.content.decode())).split())


def submit(client: Client, **typed: str) -> Any:
    page = client.get(URL).content.decode()
    [nonce] = re.findall(r'name="nonce" value="([^"]+)"', page)
    form = {"label": "ci-backup", "lifetime": "30d", "permission": "upload", "nonce": nonce}
    return client.post(URL, form | typed)


def made(node: Sandbox) -> list[str]:
    return [key.label for key in node.state.keys.values() if key.label != "console"]


def test_rules_are_on_the_page_and_only_allowed_choices_are_offered(
    browser: Client, policy: Any
) -> None:
    policy(LONGEST_LIFETIME="20d", PERMISSIONS="upload", PURPOSE_REQUIRED="true")

    page = browser.get(URL).content.decode()

    assert "A key may last at most 20 days." in page
    assert re.findall(r'name="lifetime" value="(\w+)"', page) == [
        "1h",
        "8h",
        "1d",
        "7d",
        "custom",
        "date",
    ]
    assert re.search(r'value="7d"[^>]*checked', page)  # 30 days, the usual choice, is too long
    assert re.findall(r'name="permission" value="(\w+)"', page) == ["upload"]
    assert "(optional)" not in page


def test_without_a_policy_the_page_has_no_rules(browser: Client) -> None:
    page = browser.get(URL).content.decode()

    assert "Rules for keys here" not in page
    assert "(optional)" in page


@pytest.mark.parametrize(
    ("rules", "typed", "sentence"),
    [
        ({"LONGEST_LIFETIME": "20d"}, {"lifetime": "90d"}, "at most 20 days"),
        ({"LONGEST_LIFETIME": "20d"}, {"lifetime": "never"}, "at most 20 days"),
        (
            {"LONGEST_LIFETIME": "20d"},
            {"lifetime": "custom", "custom_lifetime": "20d1h"},
            "Custom lifetime : A key may last at most 20 days",
        ),
        ({"PERMISSIONS": "upload"}, {"permission": "all"}, "permission “Upload only”"),
        ({"PURPOSE_REQUIRED": "true"}, {"purpose": " "}, "Purpose : Say what the key is for"),
        (
            {"LABEL_PATTERN": "[a-z]+-[a-z]+", "LABEL_EXAMPLE": "web-backup"},
            {"label": "Backup"},
            "Label : A label must look like “web-backup”",
        ),
        ({"MAX_KEYS": "1"}, {}, "The account has 1 key, and may have 1."),
    ],
)
def test_what_is_over_policy_is_not_created_and_the_field_is_named(
    browser: Client, node: Sandbox, policy: Any, rules: Any, typed: Any, sentence: str
) -> None:
    policy(**rules)

    response = submit(browser, **typed)

    assert sentence in words(response)
    assert made(node) == []
    assert not KeyCreation.objects.exists()


def test_a_key_within_the_policy_is_created(browser: Client, node: Sandbox, policy: Any) -> None:
    policy(
        LONGEST_LIFETIME="20d",
        PERMISSIONS="upload",
        PURPOSE_REQUIRED="true",
        LABEL_PATTERN="[a-z]+-[a-z]+",
        LABEL_EXAMPLE="web-backup",
        MAX_KEYS="2",
    )

    submit(browser, lifetime="custom", custom_lifetime="480h", purpose="nightly backups")

    assert made(node) == ["ci-backup"]


def test_expired_and_session_keys_do_not_count(
    browser: Client, node: Sandbox, account: Any, expired: list[str], policy: Any
) -> None:
    policy(MAX_KEYS="3")  # beside the expired ones: console and “works”

    submit(browser)

    assert "ci-backup" in made(node)


def test_only_admins_get_keys_without_end_when_the_policy_says_so(
    carol: User, alice: User, token: str, node: Sandbox, policy: Any
) -> None:
    policy(NO_END="admins")
    for member, may in ((alice, False), (carol, True)):
        connect(member, token)
        client = signed_in(member)
        assert ('value="never"' in client.get(URL).content.decode()) is may

        submit(client, label=f"of {member.username}", lifetime="never")

    assert made(node) == ["of carol"]


def test_the_service_itself_keeps_the_policy(
    alice: User, token: str, node: Sandbox, policy: Any
) -> None:
    stored: StoredToken = connect(alice, token)
    policy(PERMISSIONS="upload")
    spec = KeySpec("x", None, Permission.ALL)

    with pytest.raises(PolicyRefused, match="Upload only"):
        create_key(Actor(alice, "", ""), stored, spec, "nonce")

    assert made(node) == []


def test_a_form_tells_all_problems_at_once() -> None:
    strict = Policy(no_end=NoEnd.FORBID, is_purpose_required=True)
    data = {"label": "", "lifetime": "never", "permission": "upload"}

    form = KeyCreateForm(data, policy=strict)

    assert set(form.errors) == {"label", "lifetime", "purpose"}


def test_no_label_keeps_a_page_busy_with_the_pattern(
    browser: Client, node: Sandbox, policy: Any
) -> None:
    policy(LABEL_PATTERN="(a+)+b", LABEL_EXAMPLE="aab")

    response = submit(browser, label="a" * 200)  # Python's own `re` would take years

    assert "A label must look like “aab”." in words(response)
    assert not KeyCreation.objects.exists()
