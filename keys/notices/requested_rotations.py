"""Messages about rotations that admins ask for. None holds a token."""

from __future__ import annotations

from dataclasses import replace

from django.contrib.auth.models import User
from django.urls import reverse

from estuary_admin.web.addresses import absolute_address
from keys.models import RotationRequest
from keys.notices.digest import Content, content_of
from keys.templatetags.formats import exact_moment


def asked(row: RotationRequest, name: str) -> Content:
    """The request to rotate a key by a deadline; the notice leads to the form."""
    then = " If it is not rotated by then, this console revokes it." if row.revokes else ""
    sentence = (
        f"The admin {row.asked_by_name} asks you to rotate {name} by {_deadline(row)}.{then} "
        f"Reason: {row.reason}"
    )
    path = reverse("keys:key_rotate", args=[row.token_hash])
    content = _content(row, "rotation.asked", f"Rotate {name} by {_deadline(row)}", sentence, path)
    return replace(content, path=path)


def withdrawn(row: RotationRequest, name: str, admin: User) -> Content:
    """The message that a rotation is no longer asked for."""
    sentence = (
        f"The admin {admin.get_username()} no longer asks you to rotate {name}. You need to do "
        "nothing."
    )
    subject = f"{name} need not be rotated"
    return _content(row, "rotation.withdrawn", subject, sentence, _page_of_key(row))


def overdue(row: RotationRequest, name: str) -> Content:
    """The message that the deadline has passed and the key is not rotated."""
    sentence = (
        f"The admin {row.asked_by_name} asked you to rotate {name} by {_deadline(row)}. It is not "
        f"rotated yet. Reason: {row.reason}"
    )
    path = reverse("keys:key_rotate", args=[row.token_hash])
    content = _content(row, "rotation.asked", f"Rotation of {name} is overdue", sentence, path)
    return replace(content, path=path)


def ended(row: RotationRequest, name: str) -> Content:
    """The message that the worker revoked the key after the deadline."""
    sentence = (
        f"The admin {row.asked_by_name} asked you to rotate {name} by {_deadline(row)}, or it "
        "would be revoked. Estuary no longer lists it: programs that used it need another key. It "
        "may work for about 10 seconds more, and on upload nodes that have seen it until its own "
        f"expiry. Reason: {row.reason}"
    )
    path = reverse("keys:key_list")
    return _content(row, "key.revoked", f"{name} was revoked", sentence, path)


def _deadline(row: RotationRequest) -> str:
    return exact_moment(row.deadline)


def _page_of_key(row: RotationRequest) -> str:
    return reverse("keys:key_detail", args=[row.token_hash])


def _content(row: RotationRequest, kind: str, subject: str, sentence: str, path: str) -> Content:
    context: dict[str, object] = {
        "member": row.member.get_username(),
        "title": subject,
        "sentence": sentence,
        "key_url": absolute_address(path),
        "settings_url": absolute_address(reverse("keys:reminders")),
    }
    data: dict[str, object] = {
        "token_hash": row.token_hash,
        "asked_by": row.asked_by_name,
        "deadline": row.deadline.isoformat(timespec="seconds"),
        "revokes": row.revokes,
        "reason": row.reason,
    }
    return content_of(kind, subject[:200], "event", context, data)
