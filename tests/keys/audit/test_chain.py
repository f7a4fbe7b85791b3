"""The chain shows every change to the audit, and only those."""

from __future__ import annotations

import threading
from datetime import timedelta
from typing import Any

import pytest
import time_machine
from django.contrib.auth.models import User
from django.core.management import CommandError, call_command
from django.db import DatabaseError, connection, transaction
from django.template.loader import render_to_string
from django.test import Client
from django.utils import timezone

from keys.actors import Actor
from keys.audit import chain, rows
from keys.audit.record import record_action
from keys.audit.vocabulary import Action
from keys.models import AppendOnly, AuditEntry

pytestmark = pytest.mark.django_db


def written(count: int, member: User | None = None) -> list[AuditEntry]:
    actor = Actor(member, "192.0.2.1", "request-1")
    return [record_action(actor, Action.KEY_CREATED, detail={"n": n}) for n in range(count)]


def tamper(sql: str, *values: Any) -> None:
    """Write to the table as somebody with access to the database can."""
    with connection.cursor() as cursor:
        if connection.vendor == "postgresql":
            cursor.execute("SET session_replication_role = 'replica'")  # no trigger runs
        cursor.execute(sql, values)
        if connection.vendor == "postgresql":
            cursor.execute("SET session_replication_role = 'origin'")


def sentences() -> list[str]:
    return [found.sentence for found in chain.verify().breaks]


def test_an_untouched_audit_holds(alice: User, capsys: pytest.CaptureFixture[str]) -> None:
    written(5, alice)

    call_command("verify_audit")

    assert "The chain of 5 audit rows holds. Head: 5:" in capsys.readouterr().out


def test_an_empty_audit_holds() -> None:
    assert chain.verify().holds


def test_deleting_a_member_breaks_nothing(alice: User) -> None:
    written(2, alice)

    alice.delete()

    assert chain.verify().holds


@pytest.mark.parametrize(
    ("column", "value"),
    [
        ("action", "key:revoked"),
        ("outcome", "failed"),
        ("actor_name", "mallory"),
        ("job", "prune"),
        ("on_behalf_of_name", "bob"),
        ("token_hash", "x"),
        ("address", "192.0.2.9"),
        ("request_id", "other"),
        ("detail", "{}"),
        ("at", "2001-01-01 00:00:00+00:00"),
    ],
)
def test_a_changed_row_is_named(column: str, value: str) -> None:
    written(3)

    tamper(f"UPDATE keys_auditentry SET {column} = %s WHERE sequence = 2", value)  # noqa: S608

    assert sentences() == ["Row 2 was changed or moved."]
    with pytest.raises(CommandError, match="does not hold"):
        call_command("verify_audit")


def test_a_row_whose_hash_was_made_to_fit_breaks_its_successor() -> None:
    rows = written(3)
    rows[1].outcome = "failed"

    tamper(
        "UPDATE keys_auditentry SET outcome = 'failed', row_hash = %s WHERE sequence = 2",
        chain.row_hash(rows[1], rows[0].row_hash),
    )

    assert sentences() == ["Row 3 was changed or moved."]


@pytest.mark.parametrize(
    ("removed", "sentence"),
    [
        ("= 1", "Row 1 is missing."),
        ("= 2", "Row 2 is missing."),
        ("BETWEEN 2 AND 3", "Rows 2 to 3 are missing."),
        ("= 4", "Row 4 is missing."),
    ],
)
def test_a_removed_row_is_named(removed: str, sentence: str) -> None:
    written(4)

    tamper(f"DELETE FROM keys_auditentry WHERE sequence {removed}")  # noqa: S608

    assert sentences() == [sentence]


def test_rows_that_changed_places_are_named() -> None:
    written(4)

    tamper("UPDATE keys_auditentry SET sequence = 99 WHERE sequence = 2")
    tamper("UPDATE keys_auditentry SET sequence = 2 WHERE sequence = 3")
    tamper("UPDATE keys_auditentry SET sequence = 3 WHERE sequence = 99")

    assert sentences()[0] == "Row 2 was changed or moved."


def test_an_inserted_row_is_named() -> None:
    written(2)
    columns = "action, outcome, actor_name, job, on_behalf_of_name, token_hash, address"
    columns += ", request_id, detail, at, sequence, row_hash"
    values = "'key:revoked', 'done', '', '', '', '', '', '', '{}', '2026-01-01 00:00:00+00:00'"

    tamper(f"INSERT INTO keys_auditentry ({columns}) VALUES ({values}, 3, 'x')")  # noqa: S608
    tamper(f"INSERT INTO keys_auditentry ({columns}) VALUES ({values}, NULL, '')")  # noqa: S608

    changed, behind, outside = sentences()
    assert changed == "Row 3 was changed or moved."
    assert behind == "Row 3 was inserted behind the newest row."
    assert outside.startswith("1 row is not in the chain: inserted by hand")


def test_a_rewritten_chain_shows_against_a_head_kept_elsewhere() -> None:
    written(3)
    kept = chain.current_head()
    written(1)
    assert chain.verify(kept).holds

    tamper("DELETE FROM keys_auditentry")
    tamper("UPDATE keys_audithead SET sequence = 0, row_hash = ''")
    written(4)

    assert chain.verify().holds
    verdict = chain.verify(kept)
    assert [found.sentence for found in verdict.breaks] == [
        "Row 3 is not the one of the known head."
    ]
    with pytest.raises(CommandError):
        call_command("verify_audit", head=kept)


def test_rows_cut_off_with_their_head_show_against_a_head_kept_elsewhere() -> None:
    written(3)
    kept = chain.current_head()
    cut_to = AuditEntry.objects.get(sequence=2).row_hash

    tamper("DELETE FROM keys_auditentry WHERE sequence = 3")
    tamper("UPDATE keys_audithead SET sequence = 2, row_hash = %s", cut_to)

    assert chain.verify().holds
    assert [found.sentence for found in chain.verify(kept).breaks] == [
        "Row 3, the known head, is missing."
    ]


def test_a_head_that_names_another_newest_row_is_told() -> None:
    written(2)

    tamper("UPDATE keys_audithead SET row_hash = 'x'")

    assert sentences() == ["The newest row is not the one that was written last."]


def test_a_head_that_is_none_is_refused_with_an_example() -> None:
    with pytest.raises(CommandError, match="A head looks like 12:3fa"):
        call_command("verify_audit", head="nonsense")


def test_rows_of_an_older_version_are_chained_on_demand() -> None:
    written(1)
    tamper(
        "INSERT INTO keys_auditentry (action, outcome, actor_name, on_behalf_of_name, token_hash,"
        " address, request_id, detail, at) VALUES ('key:revoked', 'done', 'bob', '', '', '', '',"
        " '{}', '2026-01-01 00:00:00+00:00')"
    )
    assert len(sentences()) == 1

    call_command("verify_audit", adopt=True)

    assert chain.verify().holds
    assert AuditEntry.objects.get(action=Action.AUDIT_ADOPTED).detail == {"entries": 1}


def test_pruning_leaves_a_chain_that_can_be_proved(settings: Any) -> None:
    settings.AUDIT_DAYS = 30
    with time_machine.travel(timezone.now() - timedelta(days=40), tick=False):
        written(3)
    written(2)

    call_command("prune")
    call_command("prune")

    assert AuditEntry.objects.count() == 3
    assert chain.verify().holds
    tamper("DELETE FROM keys_auditentry WHERE sequence = 4")
    assert sentences() == ["Row 4 is missing."]


def test_a_prune_that_was_killed_is_finished_by_the_next(
    settings: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    settings.AUDIT_DAYS = 30
    with time_machine.travel(timezone.now() - timedelta(days=40), tick=False):
        written(3)
    with monkeypatch.context() as killed:
        killed.setattr(chain, "cut", lambda _through: 0)
        call_command("prune")
    assert chain.verify().holds

    call_command("prune")

    assert list(AuditEntry.objects.values_list("action", flat=True)) == [Action.AUDIT_PRUNED]
    assert chain.verify().holds


def write_sequence(sequence: int, sql: str, *values: Any) -> None:
    tamper(f"UPDATE keys_auditentry SET {sql} WHERE sequence = %s", *values, sequence)  # noqa: S608


@pytest.mark.parametrize("through", ["4", "99", '"x"', "-1"])
def test_a_row_that_was_made_an_anchor_hides_nothing(through: str) -> None:
    rows = written(5)
    detail = f'{{"through": {through}, "hash": "{rows[3].row_hash}"}}'
    write_sequence(1, "outcome = 'failed'")

    write_sequence(2, "action = 'audit:pruned', detail = %s", detail)

    assert sentences()[:2] == ["Row 1 was changed or moved.", "Row 2 was changed or moved."]


def test_an_anchor_outside_of_the_chain_is_none() -> None:
    [row, *_] = written(3)
    columns = "action, outcome, actor_name, job, on_behalf_of_name, token_hash, address"
    columns += ", request_id, detail, at, row_hash"
    detail = f'{{"through": 1, "hash": "{row.row_hash}"}}'
    values = "'audit:pruned', 'done', '', '', '', '', '', '', %s, '2026-01-01 00:00:00+00:00', ''"
    tamper(f"INSERT INTO keys_auditentry ({columns}) VALUES ({values})", detail)  # noqa: S608
    write_sequence(1, "outcome = 'failed'")

    assert sentences()[0] == "Row 1 was changed or moved."


@pytest.mark.parametrize("row_hash", ["", "x"])
@pytest.mark.parametrize("sequence", [0, -3])
def test_a_row_before_the_first_one_is_named(sequence: int, row_hash: str) -> None:
    written(2)
    write_sequence(2, "sequence = %s, row_hash = %s", sequence, row_hash)

    assert f"Row {sequence} was inserted before the oldest row." in sentences()


def test_a_row_inserted_where_rows_were_pruned_is_named(settings: Any) -> None:
    settings.AUDIT_DAYS = 30
    with time_machine.travel(timezone.now() - timedelta(days=40), tick=False):
        written(3)
    written(2)
    call_command("prune")

    write_sequence(5, "sequence = 2")

    assert "Row 2 was inserted before the oldest row." in sentences()


def test_a_row_changed_before_a_killed_prune_removed_it_is_named(
    settings: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    settings.AUDIT_DAYS = 30
    with time_machine.travel(timezone.now() - timedelta(days=40), tick=False):
        written(3)
    with monkeypatch.context() as killed:
        killed.setattr(chain, "cut", lambda _through: 0)
        call_command("prune")

    write_sequence(2, "outcome = 'failed'")

    assert sentences() == ["Row 2 was changed or moved."]


def test_rows_written_during_the_walk_are_not_missing(monkeypatch: pytest.MonkeyPatch) -> None:
    written(3)
    links = chain._links

    def walked_slowly(after: int) -> Any:
        yield from list(links(after))
        written(2)

    monkeypatch.setattr(chain, "_links", walked_slowly)

    verdict = chain.verify()

    assert (verdict.rows, verdict.breaks) == (3, [])
    assert verdict.head.startswith("3:")


def test_a_prune_during_the_walk_makes_no_row_missing(
    settings: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    settings.AUDIT_DAYS = 30
    with time_machine.travel(timezone.now() - timedelta(days=40), tick=False):
        written(3)
    written(2)
    links = chain._links

    def pruned_meanwhile(after: int) -> Any:
        call_command("prune")
        return links(after)

    monkeypatch.setattr(chain, "_links", pruned_meanwhile)

    verdict = chain.verify()

    assert (verdict.rows, verdict.breaks) == (3, [])


def test_a_known_head_that_was_pruned_is_not_called_proved(
    settings: Any, capsys: pytest.CaptureFixture[str]
) -> None:
    settings.AUDIT_DAYS = 30
    with time_machine.travel(timezone.now() - timedelta(days=40), tick=False):
        written(3)
        kept = chain.current_head()
        written(1)
    call_command("prune")

    call_command("verify_audit", head=kept)

    assert "pruned: nothing was compared with it." in capsys.readouterr().out


def test_the_app_changes_and_deletes_no_row() -> None:
    [row] = written(1)
    row.outcome = "failed"

    for change in (
        row.save,
        row.delete,
        AuditEntry.objects.all().delete,
        lambda: AuditEntry.objects.update(outcome="failed"),
        lambda: AuditEntry.objects.bulk_update([row], ["outcome"]),
    ):
        with pytest.raises(AppendOnly):
            change()


@pytest.mark.skipif(connection.vendor != "postgresql", reason="a trigger of PostgreSQL")
@pytest.mark.parametrize(
    "sql",
    [
        "UPDATE keys_auditentry SET outcome = 'failed'",
        "UPDATE keys_auditentry SET sequence = sequence + 1",
        "DELETE FROM keys_auditentry",
    ],
)
def test_postgresql_refuses_a_change_of_a_row(sql: str) -> None:
    written(1)

    with (
        pytest.raises(DatabaseError, match="written once"),
        transaction.atomic(),
        connection.cursor() as cursor,
    ):
        cursor.execute(sql)

    assert chain.verify().holds


@pytest.mark.skipif(connection.vendor != "postgresql", reason="a trigger of PostgreSQL")
def test_postgresql_refuses_to_empty_the_table() -> None:
    # As the one of the migration, which lets databases of tests be emptied.
    probe = """
        CREATE TRIGGER probe BEFORE TRUNCATE ON keys_auditentry
        FOR EACH STATEMENT EXECUTE FUNCTION keys_audit_no_truncate('none')
    """
    with connection.cursor() as cursor:
        cursor.execute("SELECT count(*) FROM pg_trigger WHERE tgname = 'keys_audit_no_truncate'")
        assert cursor.fetchone() == (1,)

    with (
        pytest.raises(DatabaseError, match="written once"),
        transaction.atomic(),
        connection.cursor() as cursor,
    ):
        cursor.execute(f"{probe}; TRUNCATE keys_auditentry")


@pytest.mark.django_db(transaction=True)
def test_concurrent_writers_make_one_chain() -> None:
    def write() -> None:
        try:
            written(10)
        finally:
            connection.close()

    writers = [threading.Thread(target=write) for _ in range(4)]
    for writer in writers:
        writer.start()
    for writer in writers:
        writer.join()

    verdict = chain.verify()
    assert (verdict.rows, verdict.breaks) == (40, [])


def test_a_row_that_is_rolled_back_leaves_no_gap() -> None:
    written(1)
    with transaction.atomic():
        written(1)
        transaction.set_rollback(True)
    written(1)

    assert chain.verify().holds
    assert chain.current_head().startswith("2:")


def test_the_newest_link_is_in_the_metrics_and_daily_in_the_log(
    client: Client, settings: Any, caplog: pytest.LogCaptureFixture
) -> None:
    settings.METRICS_TOKENS = ("m" * 32,)
    written(2)
    head = chain.current_head()

    call_command("prune")
    text = client.get("/metrics", headers={"Authorization": f"Bearer {'m' * 32}"}).content.decode()

    [line] = [record for record in caplog.records if record.message == "audit_head"]
    assert vars(line)["head"] == head
    assert f'audit_head_info{{hash="{head[2:]}",sequence="2"}} 1.0' in text


def exports_shown_to(member: User) -> str:
    return render_to_string("keys/_last_exports.html", {"last_exports": rows.of_exports(member)})


@pytest.mark.parametrize("detail", ["[]", '"x"', "5", "null", '[{"through": 1}]', '{"bytes": "x"}'])
@pytest.mark.parametrize("form", ["csv", "ndjson", "json"])
def test_a_detail_that_is_no_object_is_named_and_hides_no_row(
    detail: str, form: str, carol: User
) -> None:
    record_action(Actor(carol, "", ""), Action.EXPORT_FINISHED)
    written(2, carol)
    write_sequence(1, "detail = %s", detail)
    client = Client()
    client.force_login(carol)

    assert sentences() == ["Row 1 was changed or moved."]
    for page in ("/audit/", "/overview/"):
        assert "Export finished" in client.get(page).content.decode()
    assert "Done" in exports_shown_to(carol)
    file = client.get(f"/audit/download/?form={form}")
    assert b"export:finished" in b"".join(file)


@pytest.mark.skipif(connection.vendor != "sqlite", reason="PostgreSQL refuses such values")
@pytest.mark.parametrize(
    ("change", "sentence"),
    [
        ("at = 'noon'", "Row 1 was changed or moved."),
        ("at = ''", "Row 1 was changed or moved."),
        ("sequence = 'x'", "A row has 'x' in place of its number."),
        ("sequence = 1.5", "A row has 1.5 in place of its number."),
        ("""detail = '{"n": "\\ud800"}'""", "Row 1 was changed or moved."),
    ],
)
def test_a_value_that_sqlite_should_not_hold_is_named_and_hides_no_row(
    change: str, sentence: str, carol: User
) -> None:
    record_action(Actor(carol, "", ""), Action.EXPORT_FINISHED)
    written(2, carol)
    write_sequence(1, change)
    client = Client()
    client.force_login(carol)

    assert sentence in sentences()
    for page in ("/audit/", "/overview/"):
        assert "Export finished" in client.get(page).content.decode()
    assert "Done" in exports_shown_to(carol)
    for form in ("csv", "ndjson", "json"):
        assert b"export:finished" in b"".join(client.get(f"/audit/download/?form={form}"))
