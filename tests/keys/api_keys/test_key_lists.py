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
from keys.api_keys import kept_lists, key_lists
from keys.api_keys.kept_lists import IndexMemory, KeyIndex
from keys.api_keys.key_lists import current_list, last_known
from keys.models import StoredToken
from keys.sandbox import Fault, Sandbox
from keys.sandbox.estuary.state import User as Account
from keys.token.stored_tokens import forget_list
from keys.upstream import ApiKey, KeyList, UpstreamError, hash_of
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
    kept = caches["key_lists"].get(kept_lists.keys_name(stored))
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
def test_a_list_from_a_clock_that_was_days_ahead_is_not_shown(
    alice: User, node: Sandbox, token: str
) -> None:
    """Else it would count as fresh until that day."""
    stored = connect(alice, token)
    listed = current_list(stored, actor_of(alice), reuse=False)
    kept_lists.write(
        stored,
        listed.index,
        listed.keys_digest,
        unreadable=0,
        fetched_at=listed.fetched_at + timedelta(days=3),
        clock_ahead=listed.clock_ahead,
    )

    assert last_known(stored) is None


@pytest.mark.skipif("redis" in settings.CACHES["key_lists"]["BACKEND"].lower(), reason="no files")
def test_a_damaged_file_is_not_read_as_a_list(alice: User, node: Sandbox, token: str) -> None:
    stored = connect(alice, token)
    current_list(stored, actor_of(alice), reuse=False)
    files = list(Path(settings.CACHES["key_lists"]["LOCATION"]).iterdir())
    whole = {file: file.read_bytes() for file in files}
    assert len(files) == 2
    for damaged in files:
        for content in (b"", bytes(400), whole[damaged][:-20]):
            for file in files:
                file.write_bytes(whole[file])
            damaged.write_bytes(content)
            kept_lists.memory.clear()  # as in a process that has just started

            assert last_known(stored) is None


def test_a_list_of_another_version_is_ignored(alice: User, node: Sandbox, token: str) -> None:
    stored = connect(alice, token)
    key_lists.remember(stored, KeyList(()))
    caches["key_lists"].set(kept_lists.keys_name(stored), b"something else")
    kept_lists.memory.clear()

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


def test_the_same_list_is_written_once_and_decoded_once(
    alice: User, node: Sandbox, token: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    written: list[str] = []
    keep = caches["key_lists"].set

    def note(name: str, value: bytes, timeout: float) -> None:
        written.append(name)
        keep(name, value, timeout)

    monkeypatch.setattr(caches["key_lists"], "set", note)
    stored = connect(alice, token)
    with time_machine.travel(datetime.now(UTC), tick=False) as clock:
        for _ in range(3):
            clock.shift(60)
            fresh = current_list(stored, actor_of(alice), reuse=False)
        known = last_known(stored)

    assert written.count(kept_lists.keys_name(stored)) == 1
    assert len(written) == 4
    assert known is not None
    assert known.index is fresh.index
    assert known.index.by_end is fresh.index.by_end


def test_another_process_reads_the_kept_keys(alice: User, node: Sandbox, token: str) -> None:
    stored = connect(alice, token)
    fresh = current_list(stored, actor_of(alice), reuse=False)
    kept_lists.memory.clear()

    known = last_known(stored)

    assert known is not None
    assert known.keys == fresh.keys
    assert known.fetched_at == fresh.fetched_at


def test_keys_without_their_file_are_written_again(alice: User, node: Sandbox, token: str) -> None:
    stored = connect(alice, token)
    current_list(stored, actor_of(alice), reuse=False)
    caches["key_lists"].delete(kept_lists.keys_name(stored))
    kept_lists.memory.clear()
    assert last_known(stored) is None

    current_list(stored, actor_of(alice), reuse=False)
    kept_lists.memory.clear()

    assert last_known(stored) is not None


def test_a_list_from_before_a_change_does_not_replace_a_later_one(
    alice: User, node: Sandbox, token: str
) -> None:
    stored = connect(alice, token)
    before = StoredToken.objects.get()
    forget_list(stored)
    current_list(stored, actor_of(alice), reuse=False)

    current_list(before, actor_of(alice), reuse=False)  # it was asked for before the change

    assert last_known(stored) is not None


def test_a_process_remembers_a_bounded_number_of_keys() -> None:
    memory = IndexMemory(max_keys=25)
    lists = [KeyIndex([key_like(number)] * 10) for number in range(3)]
    for number, index in enumerate(lists):
        memory.put(str(number), index)
        memory.get("0")

    assert memory.get("0") is lists[0]
    assert memory.get("1") is None
    assert memory.get("2") is lists[2]
    assert memory.put("3", KeyIndex([key_like(0)] * 99)).keys
    assert memory.get("3") is None


def key_like(number: int) -> ApiKey:
    return ApiKey(f"{number:043}", "", datetime.now(UTC), is_session=False)
