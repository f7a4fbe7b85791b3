"""Reading, searching and writing the notes of keys.

The callers see to it that the key is in the member's list, or ask `readable_notes`.
"""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import asdict, dataclass, replace
from functools import cache, lru_cache

from django.contrib.auth.models import User
from django.db import connection, transaction
from django.utils import timezone

from estuary_admin.storage.prepared_queries import PreparedQuery
from estuary_admin.unicode_text import comparable
from keys.actors import Actor
from keys.audit.record import record_action
from keys.audit.vocabulary import Action
from keys.models import KeyNote


@dataclass(frozen=True, slots=True)
class NoteText:
    """The fields of a note, in the order in which pages show them."""

    display_name: str = ""
    purpose: str = ""
    system: str = ""
    contact: str = ""
    note: str = ""

    @property
    def is_empty(self) -> bool:
        return not any(asdict(self).values())

    @property
    def line(self) -> str:
        """The note as one line, below the label in a list; without the free text."""
        parts = (self.display_name, self.purpose, self.system, self.contact)
        return " · ".join(part for part in parts if part)


NOTE_WORDS = {
    "display_name": "Display name",
    "purpose": "Purpose",
    "system": "System",
    "contact": "Contact",
    "note": "Note",
}
LINE_FIELDS = ("token_hash", "display_name", "purpose", "system", "contact")


def text_of(note: KeyNote | None) -> NoteText:
    """The text of a note; of no note, an empty one."""
    if note is None:
        return NoteText()
    return NoteText(*(getattr(note, name) for name in NOTE_WORDS))


def facts_of(note: KeyNote) -> list[tuple[str, str]]:
    """The fields that say something, with their words."""
    text = asdict(text_of(note))
    return [(words, text[name]) for name, words in NOTE_WORDS.items() if text[name]]


_note_query = PreparedQuery(KeyNote.objects.filter(token_hash=""))


def note_of(token_hash: str) -> KeyNote | None:
    """The note about a key, or None."""
    return _note_query.first(token_hash)


def lines_of(token_hashes: Sequence[str]) -> dict[str, NoteText]:
    """The notes of these keys for a list, with one query; most keys have none."""
    if not token_hashes:
        return {}
    rows = _lines_query(len(token_hashes)).rows(*token_hashes)
    return {token_hash: NoteText(*fields) for token_hash, *fields in rows}


@lru_cache(maxsize=64)  # a page has at most 40 rows
def _lines_query(count: int) -> PreparedQuery[KeyNote]:
    found = KeyNote.objects.filter(token_hash__in=[str(number) for number in range(count)])
    return PreparedQuery(found.values_list(*LINE_FIELDS))


def hashes_matching(text: str) -> frozenset[str]:
    """The hashes of the keys, of any account, whose note contains the text."""
    if not text:
        return frozenset()
    wanted = connection.ops.prep_for_like_query(comparable(text))
    return frozenset(row[0] for row in _matching_query().rows(f"%{wanted}%"))


@cache
def _matching_query() -> PreparedQuery[KeyNote]:
    # Prepared for its rows as plain tuples: a word may be in 10,000 notes.
    found = KeyNote.objects.filter(search_text__contains="")
    return PreparedQuery(found.values_list("token_hash"))


def readable_notes(
    member: User, token_hashes: Collection[str], *, sees_all: bool
) -> dict[str, KeyNote]:
    """The notes among these that the member may read whatever became of the keys."""
    found = KeyNote.objects.filter(token_hash__in=token_hashes)
    if not sees_all:
        found = found.filter(members=member)
    return {note.token_hash: note for note in found}


def save_note(actor: Actor, token_hash: str, text: NoteText) -> KeyNote | None:
    """Replace the note of a key of the member's; an empty text removes it.

    The audit records which fields changed, not what they say.
    """
    with transaction.atomic():
        rows = KeyNote.objects.select_for_update()
        note = rows.filter(token_hash=token_hash).first()
        before, fields = asdict(text_of(note)), asdict(text)
        changed = [name for name in fields if fields[name] != before[name]]
        if not changed:
            return note
        record_action(
            actor, Action.KEY_NOTED, token_hash=token_hash, detail={"fields": ", ".join(changed)}
        )
        if text.is_empty:
            rows.filter(token_hash=token_hash).delete()
            return None
        return _write(actor, token_hash, fields)


def _write(actor: Actor, token_hash: str, fields: dict[str, str]) -> KeyNote:
    note, _ = KeyNote.objects.update_or_create(
        token_hash=token_hash,
        defaults={
            **fields,
            "search_text": comparable("\n".join(fields.values())),
            "changed_at": timezone.now(),
            "changed_by": actor.member.get_username() if actor.member else "",
        },
    )
    if reader := actor.served or actor.member:
        note.members.add(reader)
    return note


def keep_purpose(actor: Actor, token_hash: str, purpose: str) -> None:
    """Start the note of a new key with the purpose that was given for it."""
    if token_hash and purpose and note_of(token_hash) is None:
        save_note(actor, token_hash, NoteText(purpose=purpose))


def copy_note(actor: Actor, old_hash: str, new_hash: str) -> None:
    """Give a key that replaces another one the note of the old one, except for the purpose,
    which the form asks for."""
    if old := note_of(old_hash):
        purpose = text_of(note_of(new_hash)).purpose
        save_note(actor, new_hash, replace(text_of(old), purpose=purpose))
