"""Messages about the audit's chain, so that its head is kept outside of this console too."""

from __future__ import annotations

from django.contrib.auth.models import User
from django.urls import reverse

from estuary_admin.web.addresses import absolute_address
from keys.audit.chain import Verdict
from keys.notices.digest import Content, content_of


def verified(admin: User, verdict: Verdict) -> Content:
    """For webhooks, once a day: the head up to which the chain held."""
    sentence = f"The chain of {verdict.rows} audit rows holds. Head: {verdict.head}"
    return _content(admin, "audit.head", "The audit's chain holds", sentence, verdict)


def broken(admin: User, verdict: Verdict) -> Content:
    """The message to an admin about a chain that does not hold."""
    first = verdict.breaks[0].sentence
    sentence = (
        f"The audit's chain does not hold: {first} Run manage.py verify_audit to see all that it "
        "finds."
    )
    return _content(admin, "audit.broken", "The audit's chain is broken", sentence, verdict)


def _content(admin: User, kind: str, subject: str, sentence: str, verdict: Verdict) -> Content:
    context: dict[str, object] = {
        "member": admin.get_username(),
        "title": subject,
        "sentence": sentence,
        "key_url": absolute_address(reverse("keys:audit")),
        "settings_url": absolute_address(reverse("keys:reminders")),
    }
    data: dict[str, object] = {
        "head": verdict.head,
        "rows": verdict.rows,
        "holds": verdict.holds,
    }
    return content_of(kind, subject, "event", context, data)
