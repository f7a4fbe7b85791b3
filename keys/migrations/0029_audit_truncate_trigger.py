"""Let PostgreSQL refuse to empty the table of audit rows, which row triggers do not see."""

from __future__ import annotations

from typing import Any

from django.db import migrations

# The argument is the pattern of databases that may be emptied: Django's test runner does that.
TRIGGER = r"""
CREATE FUNCTION keys_audit_no_truncate() RETURNS trigger AS $$
BEGIN
    IF current_database() LIKE TG_ARGV[0] THEN
        RETURN NULL;
    END IF;
    RAISE EXCEPTION 'audit rows are written once';
END
$$ LANGUAGE plpgsql;
CREATE TRIGGER keys_audit_no_truncate BEFORE TRUNCATE ON keys_auditentry
    FOR EACH STATEMENT EXECUTE FUNCTION keys_audit_no_truncate('test\_%');
"""


def add_trigger(apps: Any, schema_editor: Any) -> None:
    if schema_editor.connection.vendor == "postgresql":
        schema_editor.execute(TRIGGER, params=None)  # it has a percent sign


def remove_trigger(apps: Any, schema_editor: Any) -> None:
    if schema_editor.connection.vendor == "postgresql":
        schema_editor.execute("DROP TRIGGER keys_audit_no_truncate ON keys_auditentry")
        schema_editor.execute("DROP FUNCTION keys_audit_no_truncate")


class Migration(migrations.Migration):
    dependencies = [("keys", "0028_off_boarding_is_list_settled")]

    operations = [migrations.RunPython(add_trigger, remove_trigger)]
