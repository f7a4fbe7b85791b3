"""The kept list: it holds no token, and belongs to one account."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
import time_machine
from django.conf import settings
from django.contrib.auth.models import User
from django.core.cache import caches
from django.test import Client

from keys.actors import Actor
from keys.api_keys import key_lists
from keys.api_keys.key_lists import current_list, last_known
from keys.models import StoredToken
from keys.sandbox import Fault, Sandbox
from keys.sandbox.estuary.state import User as Account
from keys.upstream import KeyList, UpstreamError, hash_of
from tests.conftest import connect
from tests.keys.evidence import audited, words_of


def actor_of(member: User) -> Actor:
    return Actor(member, "192.0.2.1", "made-by-a-test")


in_files = pytest.mark.skipif("files" in settings.CACHES, reason="lists are kept in Redis here")


@pytest.mark.parametrize("era", ["current", "transitional", "legacy"])
def test_no_token_is_kept(
    alice: User, node: Sandbox, account: Account, token: str, era: str
) -> None:
    other = node.add_key(account, era=era)
    stored = connect(alice, token)

    listed = current_list(stored, actor_of(alice), reuse=False)

    assert listed.find(hash_of(other))
    kept = caches["key_lists"].get(key_lists._name(stored))
    assert hash_of(other).encode() in kept
    assert other.encode() not in kept
    assert token.encode() not in kept


def test_a_list_is_kept_for_a_day(alice: User, node: Sandbox, token: str) -> None:
    stored = connect(alice, token)
    with time_machine.travel(datetime.now(UTC), tick=False) as clock:
        current_list(stored, actor_of(alice), reuse=False)
        node.set_fault("list", Fault("500"))

        clock.shift(timedelta(hours=23, minutes=59))
        stale = current_list(stored, actor_of(alice), reuse=True)
        assert stale.stale_reason.startswith("Estuary failed")
        assert stale.find(hash_of(token))

        clock.shift(timedelta(minutes=2))
        with pytest.raises(UpstreamError):
            current_list(stored, actor_of(alice), reuse=True)


@pytest.fixture
def no_room(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Lists can be kept nowhere, as on a disk that is full or may only be read."""
    (tmp_path / "file").touch()
    monkeypatch.setattr(caches["key_lists"], "_dir", str(tmp_path / "file" / "lists"))


@in_files
@pytest.mark.usefixtures("no_room")
def test_on_a_full_disk_estuary_is_asked_each_time(
    browser: Client, caplog: pytest.LogCaptureFixture
) -> None:
    for _ in range(2):
        assert "console" in words_of(browser.get("/keys/?sort=expiry"))

    assert "key_list_not_kept" in caplog.text


@in_files
@pytest.mark.usefixtures("no_room")
def test_on_a_full_disk_a_revocation_is_reported_and_recorded(
    browser: Client, node: Sandbox, account: Account
) -> None:
    backup = node.add_key(account, label="backup")

    page = words_of(browser.post(f"/keys/{hash_of(backup)}/revoke/", follow=True))

    assert f"Revoked Key {hash_of(backup)[:8]}." in page
    assert audited()[-1] == ("key:revoked", "done")


@in_files
def test_a_damaged_file_is_not_read_as_a_list(alice: User, node: Sandbox, token: str) -> None:
    stored = connect(alice, token)
    current_list(stored, actor_of(alice), reuse=False)
    [file] = Path(settings.CACHES["key_lists"]["LOCATION"]).iterdir()
    for content in (b"", bytes(400), file.read_bytes()[:-20]):
        file.write_bytes(content)

        assert last_known(stored) is None


def test_a_list_of_another_version_is_ignored(alice: User, node: Sandbox, token: str) -> None:
    stored = connect(alice, token)
    key_lists.remember(stored, KeyList(()))
    caches["key_lists"].set(key_lists._name(stored), b"something else")

    assert last_known(stored) is None


def test_a_list_belongs_to_its_account_also_after_a_backup_was_restored(
    alice: User, node: Sandbox, account: Account, token: str
) -> None:
    stored = connect(alice, token)
    current_list(stored, actor_of(alice), reuse=False)

    StoredToken.objects.update(token_hash=hash_of(node.add_key(account)))

    assert last_known(StoredToken.objects.get()) is None


def test_a_stale_list_is_not_stored_as_fresh(alice: User, node: Sandbox, token: str) -> None:
    stored = connect(alice, token)
    fresh = current_list(stored, actor_of(alice), reuse=False)
    node.set_fault("list", Fault("500"))

    current_list(stored, actor_of(alice), reuse=False)

    assert last_known(stored) == fresh


def test_connecting_again_does_not_bring_back_an_old_list(
    alice: User, node: Sandbox, token: str
) -> None:
    current_list(connect(alice, token), actor_of(alice), reuse=False)

    assert last_known(connect(alice, token)) is None
