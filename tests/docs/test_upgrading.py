"""The move from SQLite to PostgreSQL in docs/upgrading.md, run as written."""

from __future__ import annotations

import pytest

from tests.backing import PostgreSQL, need, running
from tests.docs.pages import block
from tests.docs.test_install import Installed, installed

__all__ = ["installed"]


@pytest.mark.timeout(600)  # each command is a process
def test_members_and_the_audit_move_to_postgresql(installed: Installed) -> None:
    need(PostgreSQL.PACKAGE)
    host, settings = installed.host, installed.host.path("/etc/estuary-admin.env")
    text = block("upgrading.md", "sudo estuary-admin dumpdata").text
    before, _, after = text.partition("# set DATABASE_URL in /etc/estuary-admin.env\n")
    kept = settings.read_text()

    with running(PostgreSQL) as database:
        host.run(before)
        settings.write_text(f"{kept}DATABASE_URL={database.url}\n")
        host.run(after)
        members = host.run("sudo estuary-admin members list")
        audit = host.run("sudo estuary-admin verify_audit")
        made = host.run(
            "sudo estuary-admin createmember zoe --password-stdin", given="a" * 9 + "Zq7\n"
        )
        settings.write_text(kept)

    assert "alice" in members
    assert "zoe" in made  # the numbers of new rows go on after the old ones
    assert audit
