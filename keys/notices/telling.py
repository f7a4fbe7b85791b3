"""Messages about what was done to a member's keys, so that an act of somebody else is noticed."""

from __future__ import annotations

from collections.abc import Sequence

from django.contrib.auth.models import User
from django.urls import reverse

from estuary_admin.web.addresses import absolute_address
from keys.actors import Actor
from keys.notices.digest import content_of
from keys.notices.outbox import enqueue, routes_of

#: By kind: the subject, the sentence, and what to do if it was somebody else.
ACTS = {
    "key.created": (
        "Key created",
        "The key {name} was created {by}.",
        "revoke it and end your other sessions",
    ),
    "keys.created": (
        "Keys created",
        "The keys {name} were created {by}.",
        "revoke them and end your other sessions",
    ),
    "key.unlisted": (
        "Key created, but not listed",
        "The key {name} was requested {by}. Estuary answered, but does not list it.",
        "look at your keys and end your other sessions",
    ),
    "keys.unlisted": (
        "Keys created, but not listed",
        "The keys {name} were requested {by}. Estuary answered, but does not list them.",
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


def tell(actor: Actor, owner: User, kind: str, name: str, beside: str = "") -> None:
    """Write messages by mail and webhook; not on the page, which has just said it.

    `beside` is a sentence about the rest of the act. Call it in the transaction that records the
    act. What jobs and admins do for a member has messages of its own (`rotating.py`,
    `acting_admins.py`).
    """
    if actor.member is None or actor.job or actor.member.pk != owner.pk:
        return
    if not routes_of(owner):  # the member waits: write no text that nobody gets
        return
    subject, sentence, advice = ACTS[kind]
    by = f"in your name from {actor.address}" if actor.address else "in your name"
    sentences = [sentence.format(name=name, by=by), beside, f"If it was not you, {advice}."]
    context: dict[str, object] = {
        "member": owner.get_username(),
        "title": subject,
        "sentence": " ".join(filter(None, sentences)),
        "key_url": absolute_address(reverse("keys:account")),
        "settings_url": absolute_address(reverse("keys:reminders")),
    }
    data: dict[str, object] = {"key": name, "address": actor.address}
    enqueue(owner, content_of(kind, subject, "event", context, data), on_page=False)


def tell_of_new_keys(
    actor: Actor, owner: User, made: Sequence[str], unlisted: Sequence[str], *, replaces: bool
) -> None:
    """Write one message about the keys of one form; `unlisted` are those that Estuary answered for
    but does not list."""
    beside = ""
    if made:
        kind = "keys.created" if len(made) > 1 else "key.rotated" if replaces else "key.created"
        if unlisted:
            them = "it" if len(unlisted) == 1 else "them"
            beside = f"Estuary answered for {_listing(unlisted)} too, but does not list {them}."
    elif unlisted:
        kind = "keys.unlisted" if len(unlisted) > 1 else "key.unlisted"
    else:
        return
    tell(actor, owner, kind, _listing(made or unlisted), beside)


def _listing(names: Sequence[str]) -> str:
    *others, last = names
    return f"{', '.join(others)} and {last}" if others else last
