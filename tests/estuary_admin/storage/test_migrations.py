"""The previous version works with the tables of a new one: both can run during an upgrade."""

from __future__ import annotations

import json
import subprocess
import sys

import pytest
from django.contrib.auth.models import User
from django.db import connection

from keys.models import Preferences
from tests.backing import PostgreSQL, need
from tests.support.console import ROOT


@pytest.fixture(scope="module")
def found() -> dict[str, str]:
    need(PostgreSQL.PACKAGE)
    command = [sys.executable, "-m", "tests.migrations", "--with-breaking-ones"]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)
    said: dict[str, str] = json.loads(done.stdout)
    return said


def test_no_migration_breaks_the_previous_version(found: dict[str, str]) -> None:
    assert found["ours"] == ""


@pytest.mark.parametrize(
    ("operation", "why"),
    [
        ("RemoveField", "DROPPING columns"),
        ("RenameField", "RENAMING columns"),
        ("DeleteModel", "DROPPING table"),
        ("AddField", "NOT NULL constraint on columns"),
    ],
)
def test_a_migration_that_would_is_found(found: dict[str, str], operation: str, why: str) -> None:
    assert "... ERR" in found[operation]
    assert why in found[operation]


def test_a_version_without_shortcuts_can_still_write_preferences(alice: User) -> None:
    Preferences.objects.all().delete()
    with connection.cursor() as cursor:
        cursor.execute(
            "INSERT INTO keys_preferences (member_id, theme, time_zone) VALUES (%s, 'dark', '')",
            [alice.pk],
        )

    assert Preferences.objects.get(member=alice).shortcuts
