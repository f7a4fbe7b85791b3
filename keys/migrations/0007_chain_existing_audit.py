"""Chain the rows that exist, and let PostgreSQL refuse changes of audit rows.

The hash is computed here as it was when this migration was written; keys/audit/chain.py goes on.
"""

from __future__ import annotations

import hashlib
import json
from datetime import UTC
from typing import Any

from django.db import migrations

FIELDS = (
    *("sequence", "action", "outcome", "actor_name", "job", "on_behalf_of_name"),
    *("token_hash", "address", "request_id", "detail"),
)

# Links to members become null when a member is deleted; a row of an older version is chained once.
TRIGGER = """
CREATE FUNCTION keys_audit_append_only() RETURNS trigger AS $$
DECLARE
    links text[] := ARRAY['actor_id', 'on_behalf_of_id'];
    chained text[] := ARRAY['sequence', 'row_hash'];
BEGIN
    IF TG_OP = 'DELETE' THEN
        IF current_setting('estuary_admin.prune', true) = 'on' THEN
            RETURN OLD;
        END IF;
    ELSIF to_jsonb(NEW) - links = to_jsonb(OLD) - links
        AND (NEW.actor_id IS NULL OR NEW.actor_id IS NOT DISTINCT FROM OLD.actor_id)
        AND (NEW.on_behalf_of_id IS NULL OR NEW.on_behalf_of_id IS NOT DISTINCT FROM OLD.on_behalf_of_id)
    THEN
        RETURN NEW;
    ELSIF OLD.sequence IS NULL AND to_jsonb(NEW) - chained = to_jsonb(OLD) - chained THEN
        RETURN NEW;
    END IF;
    RAISE EXCEPTION 'audit rows are written once';
END
$$ LANGUAGE plpgsql;
CREATE TRIGGER keys_audit_append_only BEFORE UPDATE OR DELETE ON keys_auditentry
    FOR EACH ROW EXECUTE FUNCTION keys_audit_append_only();
"""


def chain_existing(apps: Any, schema_editor: Any) -> None:
    AuditEntry = apps.get_model("keys", "AuditEntry")
    AuditHead = apps.get_model("keys", "AuditHead")
    sequence, newest = 0, ""
    with schema_editor.connection.cursor() as cursor:
        rows = AuditEntry.objects.filter(sequence=None).order_by("at", "pk")
        for entry in rows.iterator(chunk_size=500):
            sequence += 1
            entry.sequence = sequence
            newest = row_hash(entry, newest)
            cursor.execute(
                "UPDATE keys_auditentry SET sequence = %s, row_hash = %s WHERE id = %s",
                [sequence, newest, entry.pk],
            )
    AuditHead.objects.create(pk=1, sequence=sequence, row_hash=newest)


def row_hash(entry: Any, previous: str) -> str:
    facts = {name: getattr(entry, name) for name in FIELDS}
    facts["at"] = entry.at.astimezone(UTC).isoformat(timespec="microseconds")
    canonical = json.dumps(facts, sort_keys=True, ensure_ascii=False, separators=(",", ":"))
    return hashlib.sha256(f"{previous}\n{canonical}".encode(errors="surrogatepass")).hexdigest()


def add_trigger(apps: Any, schema_editor: Any) -> None:
    if schema_editor.connection.vendor == "postgresql":
        schema_editor.execute(TRIGGER)


def remove_trigger(apps: Any, schema_editor: Any) -> None:
    if schema_editor.connection.vendor == "postgresql":
        schema_editor.execute("DROP TRIGGER keys_audit_append_only ON keys_auditentry")
        schema_editor.execute("DROP FUNCTION keys_audit_append_only")


class Migration(migrations.Migration):
    dependencies = [("keys", "0006_audit_chain")]

    operations = [
        migrations.RunPython(chain_existing, migrations.RunPython.noop, elidable=True),
        migrations.RunPython(add_trigger, remove_trigger),
    ]
