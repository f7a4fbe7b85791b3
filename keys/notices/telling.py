"""Messages about what was done to a member's keys, so that an act of somebody else is noticed."""

from __future__ import annotations

from django.contrib.auth.models import User
from django.urls import reverse

from estuary_admin.web.addresses import absolute_address
from keys.actors import Actor
from keys.notices.digest import content_of
from keys.notices.outbox import enqueue

#: By kind: the subject, the sentence, and what to do if it was somebody else.
ACTS = {
    "key.created": (
        "Key created",
        "The key {name} was created {by}.",
        "revoke it and end your other sessions",
    ),
    "key.unlisted": (
        "Key created, but not listed",
        "The key {name} was requested {by}. Estuary answered, but does not list it.",
        "look at your keys and end your other sessions",
    ),
    "key.rotated": (
        "Key rotated",
        "The key {name} was created {by}, to replace another one.",
        "revoke it and end your other sessions",
    ),
    "key.revoked": ("Key revoked", "The key {name} was revoked {by}.", "end your other sessions"),
    "keys.revoking": (
        "Revocation of keys started",
        "The revocation of {name} was started {by}.",
        "cancel what is left of it and end your other sessions",
    ),
    "token.connected": (
        "Token connected",
        "The key {name} was connected to this console {by}.",
        "disconnect it and end your other sessions",
    ),
}


def tell(actor: Actor, owner: User, kind: str, name: str) -> None:
    """Write messages by mail and webhook; not on the page, which has just said it.

    Call it in the transaction that records the act. What jobs and admins do for a member has
    messages of its own (`rotating.py`, `acting_admins.py`).
    """
    if actor.member is None or actor.job or actor.member.pk != owner.pk:
        return
    subject, sentence, advice = ACTS[kind]
    by = f"in your name from {actor.address}" if actor.address else "in your name"
    context: dict[str, object] = {
        "member": owner.get_username(),
        "title": subject,
        "sentence": f"{sentence.format(name=name, by=by)} If it was not you, {advice}.",
        "key_url": absolute_address(reverse("keys:account")),
        "settings_url": absolute_address(reverse("keys:reminders")),
    }
    data: dict[str, object] = {"key": name, "address": actor.address}
    enqueue(owner, content_of(kind, subject, "event", context, data), on_page=False)
