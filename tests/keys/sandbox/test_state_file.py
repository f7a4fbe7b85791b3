"""A node with a state file is the same after a restart."""

from __future__ import annotations

import json
import stat
from pathlib import Path

import pytest

from keys.sandbox import Content, Sandbox
from tests.keys.sandbox.wire import ask


def test_users_keys_and_contents_survive_a_restart(tmp_path: Path) -> None:
    path = tmp_path / "state"
    with Sandbox(state_file=path) as node:
        alice = node.add_user("alice", contents=12)
        bob = node.add_user("bob", contents=[Content(5, None), Content(6, deleted=True)])
        kept = node.add_key(alice, label='quotes " and שלום', permission="upload")
        full = node.add_key(alice, lifetime=None, era="transitional")
        bobs = node.add_key(bob)
        node.remove_key(node.add_key(alice, label="gone"))
        made = json.loads(ask(node, "POST", "/user/api-keys?label=over+http", full).body)["token"]
        asked = [
            ("/user/api-keys", full),
            ("/user/stats", full),
            ("/user/stats", bobs),
            ("/viewer", made),
        ]
        before = [ask(node, "GET", target, token).body for target, token in asked]

    with Sandbox(state_file=path) as node:
        after = [ask(node, "GET", target, token).body for target, token in asked]
        assert ask(node, "GET", "/user/stats", kept).status == 403

    assert after == before
    assert b"gone" not in after[0]


def test_only_its_owner_can_read_the_state_file(tmp_path: Path) -> None:
    path = tmp_path / "state"
    Sandbox(state_file=path).add_user("alice")

    assert stat.S_IMODE(path.stat().st_mode) == 0o600


def test_a_seed_makes_new_tokens_after_a_restart(tmp_path: Path) -> None:
    first = Sandbox(state_file=tmp_path / "state", seed=7)
    old = first.add_key(first.add_user("alice"))

    second = Sandbox(state_file=tmp_path / "state", seed=7)

    assert second.add_key(second.state.users["alice"]) != old


@pytest.mark.parametrize(
    "line", ["{", "[]", '{"change": "key"}', '{"change": "user", "name": "x"}']
)
def test_another_file_is_refused(tmp_path: Path, line: str) -> None:
    path = tmp_path / "state"
    path.write_text(f"{line}\n")

    with pytest.raises(ValueError, match="state, line 1"):
        Sandbox(state_file=path)
