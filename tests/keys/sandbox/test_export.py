"""Exports of any size are complete, as Estuary writes them, and take constant memory."""

from __future__ import annotations

import json
import re
import resource
from pathlib import Path

import pytest

from keys.sandbox import Sandbox
from keys.sandbox.estuary.contents import is_active, size_of
from keys.sandbox.estuary.export import export_body
from keys.sandbox.estuary.generations import GENERATIONS
from tests.keys.sandbox.conftest import Account
from tests.keys.sandbox.wire import ask, connect, render


@pytest.mark.parametrize("contents", [0, 1, 239, 240, 241, 1000])
@pytest.mark.parametrize("query", ["", "?pretty"])
def test_it_is_one_json_document_with_every_record(
    account: Account, contents: int, query: str
) -> None:
    user = account.node.add_user("bob", contents=contents)

    answer = ask(account.node, "GET", f"/user/export{query}", account.node.add_key(user))

    document = json.loads(answer.body)
    records = document["Version1"]
    ids = list(range(user.first_content, user.first_content + contents))
    assert [content["id"] for content in records["Contents"]] == ids
    assert [deal["content"] for deal in records["Deals"]] == ids
    assert [content["size"] for content in records["Contents"]] == list(
        map(size_of, range(contents))
    )
    assert [content["active"] for content in records["Contents"]] == list(
        map(is_active, range(contents))
    )
    assert len({content["cid"] for content in records["Contents"]}) == contents


def test_pretty_and_compact_say_the_same(account: Account) -> None:
    compact, pretty = (account.ask("GET", f"/user/export{query}").body for query in ("", "?pretty"))

    assert json.loads(compact)["Version1"] == json.loads(pretty)["Version1"]
    indented = json.dumps(json.loads(pretty), indent=2, ensure_ascii=False) + "\n"
    assert pretty.decode() == indented.replace("&", r"\u0026")


def test_stats_count_what_the_export_holds(account: Account) -> None:
    user = account.node.add_user("bob", contents=1234)
    token = account.node.add_key(user)

    document = json.loads(ask(account.node, "GET", "/user/export", token).body)
    stats = json.loads(ask(account.node, "GET", "/user/stats", token).body)

    sizes = [content["size"] for content in document["Version1"]["Contents"] if content["active"]]
    assert stats == {"totalSize": sum(sizes), "numPins": len(sizes)}


def test_a_million_contents_are_exported_in_constant_memory(account: Account) -> None:
    user = account.node.add_user("bob", contents=1_000_000)
    token = account.node.add_key(user)
    received, tail, before, most = 0, b"", _resident_bytes(), 0

    with connect(account.node) as sock:
        sock.sendall(render("GET", "/user/export", [("Authorization", f"Bearer {token}")], None))
        while part := sock.recv(1 << 20):
            received, tail = received + len(part), (tail + part)[-100:]
            most = max(most, _resident_bytes())

    assert received > 1_200_000_000
    assert b"\r\n}}\n\r\n" in tail
    assert tail.endswith(b"0\r\n\r\n")
    assert most - before < 30_000_000


def _resident_bytes() -> int:
    return int(Path("/proc/self/statm").read_text().split()[1]) * resource.getpagesize()


def test_a_slow_reader_does_not_hold_up_others(account: Account) -> None:
    user = account.node.add_user("bob", contents=100_000)
    token = account.node.add_key(user)

    with connect(account.node) as sock:
        sock.sendall(render("GET", "/user/export", [("Authorization", f"Bearer {token}")], None))
        assert sock.recv(10)
        assert account.ask("GET", "/user/stats").status == 200


def test_estuarys_failure_of_large_exports_can_be_switched_on(account: Account) -> None:
    user = account.node.add_user("bob", contents=65_536)
    token = account.node.add_key(user)

    assert ask(account.node, "GET", "/user/export", token).status == 200
    account.node.truncate_exports = True
    answer = ask(account.node, "GET", "/user/export", token)

    assert answer.status == 500
    assert b"extended protocol limited to 65535 parameters" in answer.body


@pytest.mark.parametrize("generation", GENERATIONS)
def test_its_cids_are_well_formed(generation: str) -> None:
    user = Sandbox().add_user("bob", contents=300)

    body = b"".join(export_body(user, GENERATIONS[generation], 0, pretty=False)).decode()

    cids = re.findall(r'"(?:cid|propCid)":"(\w+)"', body)
    assert len(cids) == 600
    forms = r"Qm[1-9A-HJ-NP-Za-km-z]{44}|bafybei[a-z2-7]{51}[aeimquy4]"
    assert all(re.fullmatch(forms, cid) for cid in cids)
