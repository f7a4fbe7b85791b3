"""`dumpdata` and `loaddata` move the rows as they are."""

from __future__ import annotations

import io
from pathlib import Path

import pytest
from django.core.management import call_command

from keys.actors import Actor
from keys.audit import chain
from keys.audit.record import record_action
from keys.audit.vocabulary import Action
from keys.models import AuditEntry, AuditHead


@pytest.mark.django_db
def test_the_audits_chain_holds_after_a_move(tmp_path: Path) -> None:
    for _ in range(3):
        record_action(Actor.for_job("test"), Action.KEY_REVOKED)
    moments = list(AuditEntry.objects.order_by("pk").values_list("at", flat=True))
    file = tmp_path / "rows.json"
    call_command(
        "dumpdata", "keys.auditentry", "keys.audithead", output=str(file), stdout=io.StringIO()
    )
    AuditEntry.objects.all()._raw_delete(using="default")  # the model refuses to delete
    AuditHead.objects.all().delete()

    call_command("loaddata", str(file), stdout=io.StringIO())

    assert list(AuditEntry.objects.order_by("pk").values_list("at", flat=True)) == moments
    assert chain.verify().holds
