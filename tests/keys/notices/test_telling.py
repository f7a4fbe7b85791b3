"""What a member is told about acts: create, rotate, revoke, connect."""

from __future__ import annotations

import re
from typing import Any

import pytest
from django.contrib.auth.models import User
from django.test import Client

from keys.actors import Actor
from keys.api_keys.revoke import revoke_key
from keys.models import Message, StoredToken
from keys.sandbox import Fault, Sandbox
from keys.sandbox.estuary.state import User as Account
from keys.upstream import hash_of
from tests.conftest import connect, signed_in
from tests.keys.api_keys.test_key_create import URL, form_of, token_in
from tests.keys.api_keys.test_key_rotate import rotate


@pytest.fixture
def mailed(alice: User, token: str, settings: Any) -> Client:
    settings.HAS_MAIL_SERVER = True
    alice.email = "alice@example.com"
    alice.save()
    connect(alice, token)
    return signed_in(alice)


def told() -> list[tuple[str, str]]:
    return list(Message.objects.order_by("pk").values_list("kind", "channel"))


def test_each_act_is_told_by_mail_and_without_a_token(
    mailed: Client, node: Sandbox, account: Account, token: str
) -> None:
    first = token_in(mailed.post(URL, form_of(mailed)))
    second = token_in(rotate(mailed, first))
    mailed.post(f"/keys/{hash_of(second)}/revoke/")

    kinds = ["token.connected", "key.created", "key.rotated", "key.revoked"]
    assert told() == [(kind, "email") for kind in kinds]
    created = Message.objects.get(kind="key.created")
    assert f"The key “backup” ({hash_of(first)[:8]}) was created in your name" in created.text
    assert "127.0.0.1" in created.text
    assert "end your other sessions" in created.text
    everything = str([vars(message) for message in Message.objects.all()])
    assert not any(one in everything for one in (token, first, second))


def test_what_an_admin_does_for_a_member_is_not_told_twice(
    mailed: Client, node: Sandbox, account: Account, carol: User
) -> None:
    leaked = node.add_key(account, label="leaked")
    Message.objects.all().delete()

    revoke_key(Actor(carol, "192.0.2.9", "r"), StoredToken.objects.get(), hash_of(leaked))

    assert told() == []  # the page of the member, where admins revoke, tells it


def test_without_a_channel_nothing_is_written(browser: Client, node: Sandbox) -> None:
    browser.post(URL, form_of(browser))

    assert told() == []


def test_a_revocation_of_many_keys_is_told_once(
    mailed: Client, node: Sandbox, account: Account
) -> None:
    hashes = [hash_of(node.add_key(account, label=f"few-{number}")) for number in range(3)]
    Message.objects.all().delete()

    page = mailed.post("/keys/bulk/", {"action": "revoke", "key": hashes}).content.decode()
    url = page.split('action="/keys/bulk/')[1].split('"')[0]
    mailed.post(f"/keys/bulk/{url}")
    mailed.post(f"/keys/bulk/{url}")

    [message] = Message.objects.all()
    assert (message.kind, message.channel) == ("keys.revoking", "email")
    assert "The revocation of 3 keys was started in your name" in message.text


def test_a_change_of_notes_is_not_told(mailed: Client, node: Sandbox, account: Account) -> None:
    chosen = {"action": "note", "key": [hash_of(node.add_key(account, label="few"))]}
    Message.objects.all().delete()

    page = mailed.post("/keys/bulk/", chosen).content.decode()
    url = page.split('action="/keys/bulk/')[1].split('"')[0]
    mailed.post(f"/keys/bulk/{url}", {"purpose": "backups"})

    assert told() == []


def test_a_key_that_estuary_does_not_list_is_not_told_as_created(
    mailed: Client, node: Sandbox
) -> None:
    Message.objects.all().delete()
    node.set_fault("create", Fault("silent-ok"))

    mailed.post(URL, form_of(mailed))

    assert [kind for kind, _ in told()] == ["key.unlisted"]


def create_many(browser: Client, labels: str) -> None:
    page = browser.get("/keys/new/many/").content.decode()
    nonce = page.split('name="nonce" value="')[1].split('"')[0]
    chosen = {"labels": labels, "lifetime": "30d", "permission": "upload", "nonce": nonce}
    browser.post("/keys/new/many/", chosen)


def test_keys_created_from_a_list_are_told_in_one_message(mailed: Client, node: Sandbox) -> None:
    Message.objects.all().delete()

    create_many(mailed, "one\ntwo\nthree")

    [message] = Message.objects.all()
    assert (message.kind, message.channel) == ("keys.created", "email")
    hashes = {key.label: hash_of(token)[:8] for token, key in node.state.keys.items()}
    one, two, three = (f"“{label}” ({hashes[label]})" for label in ("one", "two", "three"))
    assert f"The keys {one}, {two} and {three} were created in your name" in message.text


def test_the_message_about_a_list_says_which_key_estuary_does_not_list(
    mailed: Client, node: Sandbox
) -> None:
    Message.objects.all().delete()
    node.set_fault("create", Fault("silent-ok", times=1))

    create_many(mailed, "one\ntwo")

    [message] = Message.objects.all()
    assert message.kind == "key.created"
    assert "The key “two”" in message.text
    assert re.search(r"Estuary answered for “one” \(.{8}\) too, but does not list", message.text)


def test_keys_that_estuary_refused_are_not_told_of(mailed: Client, node: Sandbox) -> None:
    Message.objects.all().delete()
    node.set_fault("create", Fault("429"))

    create_many(mailed, "one\ntwo")

    assert told() == []
