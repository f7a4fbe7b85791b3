"""Sets up what a recorded case needs: users, keys, contents, and the requests before it."""

from __future__ import annotations

import hashlib
import json
import re
from base64 import b64encode
from datetime import timedelta
from itertools import count
from typing import Any
from uuid import uuid4

from keys.sandbox import Content, Holdings, Sandbox
from keys.sandbox.estuary.state import User, hash_of
from tests.keys.sandbox.clock import Clock
from tests.keys.sandbox.wire import ask

_numbers = count(1)
_YESTERDAY = timedelta(days=-1)
_ORIGINS = '["/ip4/203.0.113.7/tcp/4001/p2p/12D3KooWAbcdefghijklmnopqrstuvwxyzABCDEFGHJKLMNPQRST"]'
_FILES = (
    ("report.pdf", "Qm" + "a" * 44),
    ("Ärger & Übung.txt", "bafybei" + "a" * 52),
    ("日本語/資料 🗂.zip", "bafybei" + "a" * 52),
)
_ROWS: dict[str, dict[str, Any]] = {  # the kinds of rows that `setup` names
    "the calling key": {"label": "main"},
    "labelled": {"label": "ci key 0"},
    "plain": {},
    "session": {"label": "on-login", "is_session": True},
    "expired": {"label": "old laptop", "lifetime": _YESTERDAY},
    "upload-only": {"permission": "upload"},
    "legacy row": {"era": "legacy"},
    "transitional row": {"era": "transitional", "label": "both"},
    "permanent": {"label": "permanent", "lifetime": None},
    "unicode label": {"label": "Prüf-Schlüssel 日本 🔑 <b>&amp;</b>"},
}


class Scene:
    """One user with the keys and contents of a case; placeholders are made when first asked for."""

    def __init__(self, node: Sandbox, clock: Clock, case: dict[str, Any], setup: str) -> None:
        self.node, self.clock, self.case = node, clock, case
        self.name: str = case["name"]
        self.user = self._new_user(_contents(self.name))
        self.other = self._new_user()
        kinds = re.findall(r"row \d+: ([^;]+)", setup)
        rows = [
            next(row for begin, row in _ROWS.items() if kind.startswith(begin)) for kind in kinds
        ]
        first, *others = rows or [self._calling_key()]
        self._tokens = {"TOKEN": node.add_key(self.user, **first)}
        for row in others:
            node.add_key(self.user, **row)
        self._happened_before()

    def token(self, placeholder: str) -> str:
        """The token for a placeholder of the case, always the same."""
        if placeholder not in self._tokens:
            self._tokens[placeholder] = self._make(placeholder)
        return self._tokens[placeholder]

    def fill(self, text: str) -> str:
        """Replace the placeholders, and what the recording shortened or described."""
        text = text.replace("xxx... (20480)", "x" * 20480)
        text = text.replace("{token in lower case}", self.token("TOKEN").lower())
        if "... (30726 chars)" in text:
            text = "label=" + "%F0%9F%94%91" * 2560
        if self.name.startswith(("delete: hash in standard base64", "delete: hash in hex")):
            digest = hashlib.sha256(self.token("KEY").encode()).digest()
            standard = (
                b64encode(digest).decode().rstrip("=").replace("/", "%2F").replace("+", "%2B")
            )
            shown = digest.hex() if "hex" in self.name else standard
            text = re.sub("(?<=/user/api-keys/).*", shown, text)
        text = re.sub(r"\{HASH_OF_([A-Z_1]+)\}", lambda found: hash_of(self.token(found[1])), text)
        return re.sub(r"\{([A-Z_1]+)\}", lambda found: self.token(found[1]), text)

    def lists(self, user: User, placeholder: str) -> bool:
        """Whether the node lists this key for its user, asked over the wire."""
        token, witness = self.token(placeholder), self.node.add_key(user, label="witness")
        rows = ask(self.node, "GET", "/user/api-keys", witness).body.decode()
        self.node.remove_key(witness)
        return token in rows or hash_of(token) in rows

    def _new_user(
        self, contents: int | list[Content] | Holdings = 0, permission: str = "user"
    ) -> User:
        return self.node.add_user(f"user-{next(_numbers):08x}", contents, permission)

    def _calling_key(self) -> dict[str, Any]:
        if self.name.startswith("create: upload-only key"):
            return {"permission": "upload"}
        only = self.name == "list: a user with just the calling key"
        era = "legacy" if self.name.startswith("upgrade:") else "current"
        return {"label": "only key" if only else "seeded", "era": era}

    def _make(self, placeholder: str) -> str:
        if placeholder == "UNKNOWN":
            return "EST00000000-0000-4000-8000-000000000000ARY"
        user, kwargs = self.user, dict[str, Any]()
        if placeholder.startswith("UPLOAD_"):
            kwargs = {"permission": "upload"}
        elif placeholder == "EXPIRED":
            kwargs = {"lifetime": _YESTERDAY}
        elif placeholder == "PERMANENT":
            kwargs = {"lifetime": None}
        elif placeholder == "OTHERS_KEY":
            user = self.other
        elif placeholder == "PERM1":
            user = self._new_user(permission="upload")
        elif placeholder == "ORPHAN":
            user = self._new_user()
            self.node.remove_user(user)
        elif placeholder == "KEY":
            old = "no hash" in self.name or self.name.startswith("upgrade:")
            era = "transitional" if "both token and hash" in self.name else "current"
            kwargs = {"era": "legacy" if old else era, "token": self._wanted_token()}
        return self.node.add_key(user, **kwargs)

    def _wanted_token(self) -> str | None:
        """The key's token where the recorded path, or its hash, asks for a certain one."""
        last = self.case["request"]["path"].rpartition("/")[2]
        if last.startswith("est"):
            return f"EST{last[3:-3]}ARY"
        if "standard base64" in self.name:  # its hash must differ between the two alphabets
            tokens = (f"EST{uuid4()}ARY" for _ in iter(int, 1))
            return next(token for token in tokens if set(hash_of(token)) & set("-_"))
        return last.replace("%45ST", "EST") if last.startswith("%45") else None

    def _key_revoked_by_itself(self, token: str, seconds: float) -> None:
        ask(self.node, "GET", "/user/stats", token)
        ask(self.node, "DELETE", f"/user/api-keys/{token}", token)
        self.clock.move(seconds)

    def _happened_before(self) -> None:
        token, name = self.token("TOKEN"), self.name
        made = re.match(r"create: (?:use of a key made with )?expiry=([^\s,]+)", name)
        used_up = re.match(r"delete: the revoked calling key used again after ([\d.]+) s", name)
        if made and self.case["request"]["path"] == "/user/stats":
            reply = ask(self.node, "POST", f"/user/api-keys?expiry={made[1]}", token)
            self._tokens["TOKEN"] = json.loads(reply.body)["token"]
        elif used_up or name in {"list: empty", "list: after revoking the only key"}:
            self._key_revoked_by_itself(token, float(used_up[1]) if used_up else 0)
        elif name in {
            "delete: never-used key after its revocation",
            "delete: the same 4.6 s later",
        }:
            self.node.remove_key(token)
        elif name.startswith("delete: already deleted"):
            self.node.remove_key(self.token("KEY"))
        elif name.startswith("viewer:"):
            ask(self.node, "GET", "/viewer", token)
        elif name.startswith("rate limit:"):
            for _ in range(5):
                ask(self.node, "GET", "/health")
        else:
            self._keys_made_before()

    def _keys_made_before(self) -> None:
        name = self.name
        if name == "create: the expired key still shows in the list":
            for _ in range(30):
                self.node.add_key(self.user, label="seeded")
        elif name == "login: key list after it":
            self.node.add_key(self.user, label="on-login", is_session=True)
        elif name.startswith("upgrade: list"):
            for lifetime in (timedelta(days=30), _YESTERDAY, timedelta(days=30), None):
                self.node.add_key(self.user, era="legacy", lifetime=lifetime)
            if name.endswith("after creating a new key"):
                self.node.remove_key(list(self.user.keys)[1])
                self.node.add_key(self.user, label="new")


def _contents(name: str) -> int | list[Content] | Holdings:
    report, notes, archive = (_content(index) for index in range(3))
    if name in {"export: 2 contents, 3 deals", "export: pretty"}:
        return Holdings(contents=2, deals=3)
    if number := re.match(r"(?:export|stats): ([\d,]+) contents", name):
        return int(number[1].replace(",", ""))
    explicit = {
        "stats: sum over 2^53": [Content(9007199254740993)] * 3,
        "stats: sum of 2^63-1": [Content(2**63 - 1)],
        "export: contents without deals": [report, notes, archive],
        "export: NULL columns (cid, name)": [Content(1000, None, None, None), notes, archive],
    }
    if name.startswith(("stats: one aggregate", "stats: the export of the same user")):
        whole, inside = _content(0, aggregate=True), _content(1, aggregated_in=1)
        return [whole, archive, inside, _content(3, deleted=True)]
    return explicit.get(name, [])


def _content(index: int, **more: Any) -> Content:
    name, cid = _FILES[index % 3]
    return Content(1000 + 7919 * index, cid, f"{index}-{name}", _ORIGINS, kind=index % 3, **more)
