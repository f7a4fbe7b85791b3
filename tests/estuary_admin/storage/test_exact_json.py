"""`dumpdata` and `loaddata` move the rows as they are."""

from __future__ import annotations

from typing import Any

import pytest
from django.core import serializers

from keys.actors import Actor
from keys.audit import chain
from keys.audit.record import record_action
from keys.audit.vocabulary import Action
from keys.models import AuditEntry


@pytest.mark.django_db
def test_the_audits_chain_holds_after_a_move() -> None:
    for _ in range(3):
        record_action(Actor.for_job("test"), Action.KEY_REVOKED)
    rows = AuditEntry.objects.order_by("sequence")
    previous = ""

    text = serializers.serialize("json", rows)
    moved: list[Any] = [row.object for row in serializers.deserialize("json", text)]

    assert [row.at for row in moved] == [row.at for row in rows]
    for row in moved:
        assert row.row_hash == chain.row_hash(row, previous)
        previous = row.row_hash
