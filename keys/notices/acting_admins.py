"""Messages to members about what admins did for them or ask of them. None holds a token."""

from __future__ import annotations

from django.contrib.auth.models import User
from django.urls import reverse

from estuary_admin.web.addresses import absolute_address
from keys.api_keys.revoke_outcome import Outcome
from keys.notices.digest import Content, content_of


def key_revoked(member: User, admin: str, name: str, reason: str, outcome: Outcome) -> Content:
    """The message about a key that an admin revoked, or tried to, with the reason."""
    if outcome is Outcome.REVOKED:
        subject, act = f"{name} was revoked by an admin", f"revoked {name} for you"
        result = "Programs that used it need another key."
    else:
        subject, act = f"An admin tried to revoke {name}", f"tried to revoke {name} for you"
        result = (
            "It was gone already: Estuary did not list it any more."
            if outcome is Outcome.GONE
            else "Estuary did not confirm it: look at your keys."
        )
    sentence = f"The admin {admin} {act}. Reason: {reason} {result}"
    return _content(member, "key.revoked", subject[:200], sentence)


def asked_to_connect(member: User, admin: str) -> Content:
    """The reminder to connect an Estuary account."""
    sentence = (
        f"The admin {admin} asks you to connect your Estuary account to this console: create a key "
        "with full access at Estuary, then connect it here."
    )
    path = reverse("keys:token_connect")
    return _content(member, "member.connect", "Connect your Estuary account", sentence, path)


def link_made(member: User, admin: str) -> Content:
    """The message about a link to set a password; the link itself is not in it."""
    sentence = (
        f"The admin {admin} made a link by which you can set a new password for this console. The "
        "admin gives it to you. If you did not ask for one, tell another admin."
    )
    subject = "A link to set your password was made"
    return _content(member, "member.link", subject, sentence, reverse("keys:account"))


def _content(member: User, kind: str, subject: str, sentence: str, path: str = "") -> Content:
    context: dict[str, object] = {
        "member": member.get_username(),
        "title": subject,
        "sentence": sentence,
        "key_url": absolute_address(path or reverse("keys:key_list")),
        "settings_url": absolute_address(reverse("keys:reminders")),
    }
    return content_of(kind, subject, "event", context, {"sentence": sentence})
