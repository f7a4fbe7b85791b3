"""The state file: one JSON line for each change, read back at the next start.

It holds the tokens of a made-up node in clear, so only its owner can read it (0600).
"""

from __future__ import annotations

import json
import os
from dataclasses import asdict
from pathlib import Path
from typing import Any

from keys.sandbox.estuary.contents import Content, Holdings
from keys.sandbox.estuary.state import Key, State, User


class StateFile:
    """Replays a file into a state, then records every change of it.

    Raises ValueError when the file is not a state file.
    """

    def __init__(self, path: Path, state: State) -> None:
        if path.exists():
            _replay(path, state)
        self._path = path
        state.on_change = self._write

    def _write(self, kind: str, subject: User | Key) -> None:
        line = {"change": kind} | _fields(subject)
        with open(self._path, "a", encoding="utf-8", opener=_private) as file:
            file.write(json.dumps(line) + "\n")


def _private(path: str, flags: int) -> int:
    return os.open(path, flags, 0o600)


def _fields(subject: User | Key) -> dict[str, Any]:
    if isinstance(subject, User):
        user = {name: getattr(subject, name) for name in ("name", "level", "created")}
        return user | {"holdings": asdict(subject.holdings)}
    names = ("token", "label", "expiry", "upload_only", "is_session", "era")
    return {name: getattr(subject, name) for name in names} | {"user": subject.user.name}


def _replay(path: Path, state: State) -> None:
    for number, text in enumerate(path.read_text().splitlines(), 1):
        try:
            _apply(json.loads(text), state)
        except (ValueError, KeyError, TypeError) as error:
            raise ValueError(f"{path}, line {number}: not a change of the sandbox") from error


def _apply(line: dict[str, Any], state: State) -> None:
    kind = line.pop("change")
    if kind == "user":
        holdings = line.pop("holdings")
        holdings["rows"] = tuple(Content(**row) for row in holdings["rows"])
        state.add_user(holdings=Holdings(**holdings), **line)
    elif kind == "key":
        state.add_key(Key(state.users[line.pop("user")], **line))
    else:
        state.remove_key(state.keys[line["token"]])
