"""Messages to members about what admins did for them or ask of them. None holds a token."""

from __future__ import annotations

from django.contrib.auth.models import User
from django.urls import reverse

from estuary_admin.web.addresses import absolute_address
from keys.notices.digest import Content, content_of


def key_revoked(member: User, admin: str, name: str, reason: str, *, is_certain: bool) -> Content:
    ended = "revoked" if is_certain else "tried to revoke"
    doubt = "" if is_certain else " Estuary did not confirm it: look at your keys."
    sentence = (
        f"The admin {admin} {ended} {name} for you. Reason: {reason} "
        "Programs that used it need another key."
    )
    return _content(member, "key.revoked", f"{name} {ended} by an admin"[:200], sentence + doubt)


def asked_to_connect(member: User, admin: str) -> Content:
    sentence = (
        f"The admin {admin} asks you to connect your Estuary account to this console: create a key "
        "with full access at Estuary, then connect it here."
    )
    path = reverse("keys:token_connect")
    return _content(member, "member.connect", "Connect your Estuary account", sentence, path)


def _content(member: User, kind: str, subject: str, sentence: str, path: str = "") -> Content:
    context: dict[str, object] = {
        "member": member.get_username(),
        "title": subject,
        "sentence": sentence,
        "key_url": absolute_address(path or reverse("keys:key_list")),
        "settings_url": absolute_address(reverse("keys:reminders")),
    }
    return content_of(kind, subject, "event", context, {"sentence": sentence})
