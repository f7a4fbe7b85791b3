"""Messages about keys that are being replaced. None holds a token."""

from __future__ import annotations

from django.urls import reverse

from estuary_admin.web.addresses import absolute_address
from keys.api_keys.rows import name_of
from keys.models import Rotation
from keys.notices.digest import Content, content_of
from keys.upstream import ApiKey, fingerprint_of


def ended(row: Rotation) -> Content:
    """The message that the old key has ended after its overlap."""
    name = _name(row)
    return _content(
        row,
        "rotation.ended",
        f"{name} has ended",
        f"The overlap is over: Estuary no longer lists {name}. It was replaced by the key "
        f"{fingerprint_of(row.new_hash)}. The old one may work for about 10 seconds more, and on "
        "upload nodes that have seen it until its own expiry.",
    )


def waits(row: Rotation) -> Content:
    """The message that the old key could not be ended, with what is missing."""
    name = _name(row)
    return _content(
        row,
        "rotation.waits",
        f"{name} could not be ended",
        f"The overlap is over, but {name} still works as far as this console knows. "
        f"{row.need_sentence} The console then ends it.",
    )


def kept(row: Rotation) -> Content:
    """The message that the old key is kept, with the reason."""
    name = _name(row)
    return _content(
        row, "rotation.kept", f"{name} was not ended", f"{name} is kept. {row.kept_sentence}"
    )


def _name(row: Rotation) -> str:
    key = ApiKey(row.old_hash, row.old_label, row.old_expiry, is_session=False)
    return name_of(key, row.old_hash)


def _content(row: Rotation, kind: str, subject: str, sentence: str) -> Content:
    # The page of a key that has ended does not exist any more.
    shown = row.new_hash if row.state == Rotation.State.ENDED else row.old_hash
    context: dict[str, object] = {
        "member": row.member.get_username() if row.member else "",
        "title": subject,
        "sentence": sentence,
        "key_url": absolute_address(reverse("keys:key_detail", args=[shown])),
        "settings_url": absolute_address(reverse("keys:reminders")),
    }
    data: dict[str, object] = {
        "token_hash": row.old_hash,
        "replaced_by": row.new_hash,
        "state": row.state,
    }
    return content_of(kind, subject[:200], "event", context, data)
