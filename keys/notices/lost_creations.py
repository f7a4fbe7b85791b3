"""Messages about keys whose creation was left unrecorded. None holds a token."""

from __future__ import annotations

from dataclasses import replace

from django.urls import reverse

from estuary_admin.web.addresses import absolute_address
from keys.models import KeyCreation, Rotation
from keys.notices.digest import Content, content_of
from keys.notices.rotating import name_of_old
from keys.templatetags.formats import exact_moment


def unknown(record: KeyCreation, rotation: Rotation | None) -> Content:
    """The message that Estuary's list does not tell whether a key was created."""
    sentence = (
        f"The key “{record.label}” was requested {exact_moment(record.requested_at)}. This console "
        "could not record what became of it, and no key in Estuary's list can be told to be this "
        "one. If you have copied its token, keep the key. If you have not, look for a key "
        f"“{record.label}” that nobody uses, and revoke it."
    )
    if rotation:
        sentence += f" {name_of_old(rotation)}, which it was to replace, is kept."
    subject = f"It is not known whether “{record.label}” was created"
    return _content(record, "key.unknown", subject, sentence, reverse("keys:key_list"))


def found(record: KeyCreation) -> Content:
    """The message that Estuary lists a key whose creation was left unrecorded."""
    sentence = (
        f"Estuary lists the key “{record.label}” ({record.fingerprint}), which was requested "
        f"{exact_moment(record.requested_at)}. This console could not record whether its token was "
        "shown to you. If you have copied it, keep the key. If you have not, nobody has the token: "
        "revoke the key and create another."
    )
    path = reverse("keys:key_detail", args=[record.token_hash])
    subject = f"“{record.label}” was created"
    return replace(_content(record, "key.found", subject, sentence, path), path=path)


def _content(record: KeyCreation, kind: str, subject: str, sentence: str, path: str) -> Content:
    context: dict[str, object] = {
        "member": record.member.get_username() if record.member else "",
        "title": subject,
        "sentence": sentence,
        "key_url": absolute_address(path),
        "settings_url": absolute_address(reverse("keys:reminders")),
    }
    data: dict[str, object] = {
        "label": record.label,
        "token_hash": record.token_hash,
        "requested_at": record.requested_at.isoformat(timespec="seconds"),
    }
    return content_of(kind, subject[:200], "event", context, data)
