"""Check that migrations can run while the version before still serves.

`python -m tests.migrations` looks at the SQL for PostgreSQL, from a server that it starts and
stops: on SQLite every change copies the table, so its SQL proves nothing.
"""

from __future__ import annotations

import contextlib
import io
import json
import os
import re
import sys

import django
from django.db import migrations, models
from django.db.migrations.operations.base import Operation

from tests.backing import PostgreSQL, missing, running

OURS = ["keys", "security", "sso"]
#: Operations that the check must find.
BREAKING: list[Operation] = [
    migrations.RemoveField("preferences", "theme"),
    migrations.RenameField("preferences", "theme", "look"),
    migrations.DeleteModel("Preferences"),
    migrations.AddField("preferences", "size", models.IntegerField(default=1)),
]


def main() -> int:
    if lacking := missing(PostgreSQL.PACKAGE):
        sys.stderr.write(f"Migrations were not looked at: install Debian's {lacking[0]}.\n")
        return int(os.environ.get("CI") == "true")
    with running(PostgreSQL) as database:
        os.environ["TEST_DATABASE_URL"] = database.url
        os.environ["DJANGO_SETTINGS_MODULE"] = "tests.settings"
        django.setup()
        found = {"ours": unsafe_migrations()}
        if sys.argv[1:] == ["--with-breaking-ones"]:
            for operation in BREAKING:
                found[type(operation).__name__] = unsafe_migrations(operation)
    sys.stdout.write(json.dumps(found) if sys.argv[1:] else found["ours"])
    return int(bool(found["ours"]))


def unsafe_migrations(more: Operation | None = None) -> str:
    """Unsafe migrations with the reason; `more` is added to the last one of `keys`."""
    from django_migration_linter import MigrationLinter

    class Linter(MigrationLinter):
        def get_sql(self, app_label: str, migration_name: str) -> list[str]:
            """Without the conditions of partial indexes: it takes their parentheses for columns."""
            lines: list[str] = super().get_sql(app_label, migration_name)
            return [re.sub(r"^(CREATE UNIQUE INDEX .*?) WHERE .*", r"\1;", line) for line in lines]

    linter = Linter(
        ".",
        include_apps=OURS,
        quiet=["ok", "ignore"],
        no_cache=True,
        all_warnings_as_errors=True,
    )
    if more:
        ours = linter.migration_loader.disk_migrations
        last = ours[max(name for name in ours if name[0] == "keys")]
        type(last).operations = [more]  # another loader reads them again
    told = io.StringIO()
    with contextlib.redirect_stdout(told):
        linter.lint_all_migrations()
    return told.getvalue() if linter.has_errors else ""


if __name__ == "__main__":
    sys.exit(main())
