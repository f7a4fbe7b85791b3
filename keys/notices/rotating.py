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
    name = name_of_old(row)
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
    name = name_of_old(row)
    return _content(
        row,
        "rotation.waits",
        f"{name} could not be ended",
        f"The overlap is over, but {name} still works as far as this console knows. "
        f"{row.need_sentence} The console then ends it.",
    )


def kept(row: Rotation) -> Content:
    """The message that the old key is kept, with the reason."""
    name = name_of_old(row)
    return _content(
        row, "rotation.kept", f"{name} was not ended", f"{name} is kept. {row.kept_sentence}"
    )


def left_over(row: Rotation) -> Content:
    """The message that the old key expired before the console could switch to the new one."""
    name = name_of_old(row)
    new_key, advice = "a new key", "Look for a key that you do not know, and revoke it."
    if row.new_hash:
        new_key = f"the new key {fingerprint_of(row.new_hash)}"
        advice = (
            "If you have copied that token, connect it. If you have not, nobody has it: connect "
            "another token and revoke that key."
        )
    return _content(
        row,
        "rotation.left-over",
        f"{name} expired before the console could switch",
        f"{name} has expired. This console did not switch to {new_key}, which was made to take "
        f"its place, and does not hold its token. {advice}",
    )


def name_of_old(row: Rotation) -> str:
    """The key that is replaced, as sentences name it."""
    key = ApiKey(row.old_hash, row.old_label, row.old_expiry, is_session=False)
    return name_of(key, row.old_hash)


def _content(row: Rotation, kind: str, subject: str, sentence: str) -> Content:
    # The page of a key that has ended does not exist any more.
    has_ended = row.state == Rotation.State.ENDED
    shown = row.new_hash if has_ended and row.new_hash else row.old_hash
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
