"""The words of messages: subject, plain text, HTML, and data for programs. None holds a token."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

from django.contrib.auth.models import User
from django.template.loader import render_to_string
from django.urls import reverse

from estuary_admin.web.addresses import absolute_address
from keys.api_keys.rows import name_of
from keys.notes.services import NoteText
from keys.notices.thresholds import Reminder
from keys.upstream import ApiKey
from keys.upstream.redaction import redact

MAX_NAMED = 50  # keys in one message


@dataclass(frozen=True, slots=True)
class Content:
    """A message before it is known over which channels it goes."""

    kind: str
    subject: str
    text: str
    html: str
    data: dict[str, object] = field(default_factory=dict)
    path: str = ""  # where the notice on the page leads


def digest_of(member: User, reminders: Sequence[Reminder], notes: dict[str, NoteText]) -> Content:
    """One message about all keys that are due today; it names those that end first."""
    rows = [_row(reminder, notes) for reminder in reminders[:MAX_NAMED]]
    ended = sum(reminder.has_ended for reminder in reminders)
    context: dict[str, object] = {
        "member": member.get_username(),
        "rows": rows,
        "more": len(reminders) - len(rows),
        "list_url": absolute_address(reverse("keys:key_list")),
        "settings_url": absolute_address(reverse("keys:reminders")),
    }
    subject = _subject(len(reminders), ended)
    data: dict[str, object] = {"keys": rows, "count": len(reminders)}
    return content_of("keys.ending", subject, "digest", context, data)


def test_message(member: User) -> Content:
    """The message of “Send me a test”."""
    context: dict[str, object] = {
        "member": member.get_username(),
        "settings_url": absolute_address(reverse("keys:reminders")),
    }
    return content_of("test", "Test of your reminders", "test", context, {})


def drift_message(member: User, appeared: Sequence[ApiKey], vanished: Sequence[ApiKey]) -> Content:
    """Keys appeared or vanished that nobody created or revoked in this console."""
    context: dict[str, object] = {
        "member": member.get_username(),
        "appeared": [_fact(key) for key in appeared[:MAX_NAMED]],
        "vanished": [_fact(key) for key in vanished[:MAX_NAMED]],
        "appeared_count": len(appeared),
        "vanished_count": len(vanished),
        "appeared_more": max(0, len(appeared) - MAX_NAMED),
        "vanished_more": max(0, len(vanished) - MAX_NAMED),
        "list_url": absolute_address(reverse("keys:key_list")),
    }
    counts = [
        f"{_keys(len(keys))} {verb}"
        for keys, verb in ((appeared, "appeared"), (vanished, "vanished"))
        if keys
    ]
    subject = f"{', '.join(counts)} outside this console"
    data = {name: context[name] for name in ("appeared", "vanished")}
    return content_of("keys.drift", subject, "drift", context, data)


def _fact(key: ApiKey) -> dict[str, object]:
    return {
        "name": redact(name_of(key, key.token_hash)),
        "token_hash": key.token_hash,
        "fingerprint": key.fingerprint,
    }


def content_of(
    kind: str, subject: str, template: str, context: dict[str, object], data: dict[str, object]
) -> Content:
    """Render a message as text and HTML, with every token redacted."""
    # A label may hold anything, a token too.
    text = redact(render_to_string(f"notices/_{template}.txt", context))
    html = redact(render_to_string(f"notices/_{template}.html", context))
    return Content(kind, redact(subject), text, html, data)


def _row(reminder: Reminder, notes: dict[str, NoteText]) -> dict[str, object]:
    key = reminder.key
    return {
        "name": redact(name_of(key, key.token_hash)),
        "token_hash": key.token_hash,
        "fingerprint": key.fingerprint,
        "ends_at": key.expiry.isoformat(timespec="seconds"),
        "days_left": reminder.days_left,
        "purpose": notes[key.token_hash].purpose if key.token_hash in notes else "",
        "url": absolute_address(reverse("keys:key_detail", args=[key.token_hash])),
    }


def _keys(count: int) -> str:
    return f"{count} key{'' if count == 1 else 's'}"


def _subject(count: int, ended: int) -> str:
    keys = _keys(count)
    if ended == count:
        return f"{keys} ended"
    return f"{keys} ending soon" if not ended else f"{keys} ending soon or ended"
