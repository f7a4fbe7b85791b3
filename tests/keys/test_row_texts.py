"""The text of each row, as a log, a shell and an error page show it: who or what, and no secret."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any
from uuid import UUID

import pytest
from django.apps import apps

NUMBER = UUID("12345678-1234-4234-8234-123456789abc")
MOMENT = datetime(2030, 1, 2, 3, 4, tzinfo=UTC)
SECRET = "nobody may read this"
HASH = "aZ09-_" + "x" * 37
MARK = "aZ09-_xx"
TEXTS: dict[str, tuple[dict[str, Any], str]] = {
    "keys.AuditEntry": ({"action": "key-created", "outcome": "done"}, "key-created done"),
    "keys.AuditHead": ({"sequence": 7, "row_hash": "ab12"}, "7:ab12"),
    "keys.BulkChange": ({"pk": NUMBER, "action": "revoke"}, f"revoke {NUMBER}"),
    "keys.BulkItem": ({"token_hash": HASH, "outcome": "waiting"}, f"{MARK}: waiting"),
    "keys.ConsoleKey": ({"member_id": 7, "token_hash": HASH}, f"{MARK} of member 7"),
    "keys.ExportComparison": ({"number": NUMBER}, f"comparison {NUMBER}"),
    "keys.ExportLease": ({"token_hash": HASH, "until": MOMENT}, f"export of {MARK} until {MOMENT}"),
    "keys.ExportSchedule": ({"member_id": 7, "every": "week"}, "export of member 7 every week"),
    "keys.KeyCreation": ({"pk": 7, "outcome": "created"}, "creation 7: created"),
    "keys.KeyNote": ({"token_hash": HASH, "note": "private"}, f"note of {MARK}"),
    "keys.KeyReminder": ({"token_hash": HASH, "days": [7, 1]}, f"{MARK}: [7, 1]"),
    "keys.Message": ({"channel": "mail", "number": NUMBER}, f"mail {NUMBER}"),
    "keys.OffBoardedKey": ({"token_hash": HASH, "outcome": "kept"}, f"{MARK}: kept"),
    "keys.OffBoarding": (
        {"member_name": "alice", "state": "done", "reason": "private"},
        "off-boarding of alice: done",
    ),
    "keys.Preferences": ({"member_id": 7}, "preferences of member 7"),
    "keys.PreparedExport": ({"number": NUMBER, "file_key": SECRET}, f"prepared export {NUMBER}"),
    "keys.Reminded": ({"token_hash": HASH, "days": 7}, f"{MARK}: 7 days"),
    "keys.Reminders": (
        {"member_id": 7, "webhook_url": SECRET, "webhook_secret": SECRET, "feed_secret": SECRET},
        "reminders of member 7",
    ),
    "keys.Rotation": (
        {"old_hash": HASH, "state": "overlap", "sealed_candidate": SECRET},
        f"rotation of {MARK}: overlap",
    ),
    "keys.RotationRequest": (
        {"token_hash": HASH, "deadline": MOMENT, "reason": "private"},
        f"rotation of {MARK} until {MOMENT}",
    ),
    "keys.SavedView": ({"name": "Ending soon", "query": "status=soon"}, "Ending soon"),
    "keys.ScheduledRun": ({"name": "prune", "due_at": MOMENT}, f"prune due at {MOMENT}"),
    "keys.SchedulerLease": (
        {"name": "scheduler", "holder_id": NUMBER},
        f"scheduler held by {NUMBER}",
    ),
    "keys.SeenKey": ({"token_hash": HASH, "owner": "alice"}, f"{MARK} of alice"),
    "keys.StatsSample": ({"day": MOMENT.date(), "total_size": 9}, "2030-01-02: 9 bytes"),
    "keys.StoredToken": (
        {"member_id": 7, "token_hash": HASH, "sealed": SECRET},
        f"{MARK} of member 7",
    ),
    "keys.SyncedAccount": ({"member_id": 7}, "account of member 7"),
    "keys.TeamExport": ({"number": NUMBER}, f"team export {NUMBER}"),
    "keys.TeamExportPart": ({"member_name": "alice", "state": "done"}, "alice: done"),
    "keys.TeamSample": (
        {"day": MOMENT.date(), "total_size": 9, "members": 2},
        "2030-01-02: 9 bytes of 2 members",
    ),
    "keys.Worker": ({"pid": 7, "host": "one"}, "worker 7 on one"),
    "security.KnownAddress": (
        {"pk": 3, "member_id": 7, "address": "192.0.2.1"},
        "address 3 of member 7",
    ),
    "security.MemberSession": (
        {"pk": 3, "member_id": 7, "session_key": SECRET},
        "session 3 of member 7",
    ),
    "security.PasswordLink": (
        {"pk": 3, "member_id": 7, "secret_hash": SECRET},
        "link 3 for member 7",
    ),
    "sso.Identity": (
        {"pk": 3, "source": "https://id.example", "stable_id": SECRET, "state": "linked"},
        "identity 3 of https://id.example: linked",
    ),
}


def own_models() -> list[str]:
    own = ("keys.", "estuary_admin.")
    found = (model for model in apps.get_models() if model.__module__.startswith(own))
    return sorted(model._meta.label for model in found)


@pytest.mark.parametrize("label", own_models())
def test_the_text_of_a_row_names_it_and_holds_no_secret(label: str) -> None:
    fields, text = TEXTS[label]

    assert str(apps.get_model(label)(**fields)) == text
