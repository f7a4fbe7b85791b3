"""Imports go one way: urls, views, forms, services, upstream."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[1]
#: What a room may import of the project; every module of a package counts.
ALLOWED = {
    "keys/upstream": ["keys.upstream"],
    "keys/sandbox": ["keys.sandbox"],
    "keys/choices.py": [],
    "keys/forms.py": ["keys.choices", "keys.upstream"],
    "keys/models.py": ["keys.choices", "keys.upstream"],
    "keys/sealing.py": [],
}
#: What a room must not import.
FORBIDDEN = {
    "keys/upstream": ["django"],
    "keys/sandbox": ["django"],
    "keys/forms.py": ["django.db", "django.http"],
    "keys/services": [
        "django.http",
        "django.shortcuts",
        "django.template",
        "keys.decorators",
        "keys.forms",
        "keys.http",
        "keys.views",
    ],
    "keys/views": ["keys.sandbox", "keys.sealing", "requests", "urllib3"],
}


def imports_of(room: str) -> Iterator[tuple[Path, str]]:
    place = ROOT / room
    for path in [place] if place.suffix else sorted(place.rglob("*.py")):
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            if isinstance(node, ast.Import):
                yield from ((path, alias.name) for alias in node.names)
            elif isinstance(node, ast.ImportFrom) and not node.level:
                yield path, node.module or ""
                yield from ((path, f"{node.module}.{alias.name}") for alias in node.names)


def is_within(name: str, packages: list[str]) -> bool:
    return any(name == package or name.startswith(f"{package}.") for package in packages)


@pytest.mark.parametrize("room", ALLOWED)
def test_a_room_imports_only_its_neighbours(room: str) -> None:
    ours = [found for found in imports_of(room) if is_within(found[1], ["keys", "estuary_admin"])]

    # `from keys import choices` names the package as well; the longer name is the one that counts.
    assert [
        found for found in ours if found[1] != "keys" and not is_within(found[1], ALLOWED[room])
    ] == []


@pytest.mark.parametrize("room", FORBIDDEN)
def test_a_room_keeps_out_of_the_others(room: str) -> None:
    found = list(imports_of(room))

    assert found
    assert [one for one in found if is_within(one[1], FORBIDDEN[room])] == []
