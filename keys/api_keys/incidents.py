"""Records the revocation of a key whose token leaked."""

from __future__ import annotations

from dataclasses import asdict

from django.db import transaction
from django.utils import timezone

from estuary_admin.storage.connections import write_surely
from keys.actors import Actor
from keys.audit.record import record_action
from keys.audit.vocabulary import Action
from keys.notes.services import NoteText, note_of, save_note, text_of

MAX_NOTE_LENGTH = 2000  # as the form of a note has it


def note_incident(actor: Actor, token_hash: str, incident: str) -> None:
    """Write an incident to the audit and, where there is room, to the note of the key.

    Call it for a key of the member's own. The key is revoked by then, so that the database being
    away raises nothing.
    """
    write_surely(lambda: _write(actor, token_hash, incident), "incident_not_recorded")


def _write(actor: Actor, token_hash: str, incident: str) -> None:
    text = asdict(text_of(note_of(token_hash)))
    dated = f"Incident on {timezone.localdate():%-d %b %Y}: {incident}"
    note = "\n".join(filter(None, (text["note"], dated)))
    with transaction.atomic():
        record_action(actor, Action.KEY_INCIDENT, token_hash=token_hash, detail={"note": incident})
        if len(note) <= MAX_NOTE_LENGTH:
            save_note(actor, token_hash, NoteText(**text | {"note": note}))
