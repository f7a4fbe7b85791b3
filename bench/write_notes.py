"""Run in the console's environment: a note for each token hash on standard input."""

from __future__ import annotations

import sys

import django


def main() -> None:
    django.setup()
    from estuary_admin.unicode_text import comparable
    from keys.models import KeyNote

    notes = []
    for number, token_hash in enumerate(sys.stdin.read().split()):
        purpose = f"copies of volume {number}"
        text = {"purpose": purpose, "search_text": comparable(purpose)}
        notes.append(KeyNote(token_hash=token_hash, **text))
    KeyNote.objects.bulk_create(notes, batch_size=500)


if __name__ == "__main__":
    main()
