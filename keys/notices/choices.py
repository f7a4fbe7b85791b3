"""A member's choices: thresholds, webhook, feed."""

from __future__ import annotations

from urllib.parse import urlsplit

from django.contrib.auth.models import User
from django.db import transaction

from estuary_admin.secrets.sealing import SealBroken
from keys import throttles
from keys.actors import Actor
from keys.audit.record import record_action
from keys.audit.vocabulary import Action
from keys.models import Reminders
from keys.notices import secrets
from keys.notices.digest import test_message
from keys.notices.outbox import enqueue
from keys.notices.webhook import problem_of_url


class WrongWebhook(Exception):
    """The address cannot be a webhook's; the message is the sentence for beside the field."""


def reminders_of(member: User) -> Reminders:
    """The member's choices; the usual ones, not saved, when there are none yet."""
    return Reminders.objects.filter(member=member).first() or Reminders(member=member)


def save_choices(actor: Actor, days: list[int], webhook_url: str) -> Reminders:
    """Save thresholds and webhook; raises WrongWebhook.

    Another address gets another secret, and so does one whose secret cannot be opened any more.
    """
    if webhook_url and (problem := problem_of_url(urlsplit(webhook_url))):
        raise WrongWebhook(problem)
    member = actor.known_member
    with transaction.atomic():
        row, _ = Reminders.objects.select_for_update().get_or_create(member=member)
        row.days = days
        if webhook_url != row.webhook_url or not webhook_secret_of(row):
            row.webhook_url = webhook_url
            row.webhook_secret = secrets.new_webhook_secret(member.pk) if webhook_url else ""
        row.save(update_fields=["days", "webhook_url", "webhook_secret"])
        record_action(
            actor,
            Action.REMINDERS_CHANGED,
            detail={"days": " ".join(map(str, days)), "webhook": "yes" if webhook_url else "no"},
        )
    return row


def send_test(actor: Actor) -> list[str]:
    """Write a test message over every channel; returns their names. Raises TooOften."""
    throttles.check(actor, Action.REMINDERS_TESTED)
    with transaction.atomic():
        sent = enqueue(actor.known_member, test_message(actor.known_member))
        record_action(actor, Action.REMINDERS_TESTED)
    return [str(one.Channel(one.channel).label) for one in sent]


def create_feed(actor: Actor) -> None:
    """Give the member's feed a new secret: the former address ends."""
    member = actor.known_member
    with transaction.atomic():
        row, _ = Reminders.objects.select_for_update().get_or_create(member=member)
        row.feed_hash, row.feed_secret = secrets.new_feed_secret(member.pk)
        row.save(update_fields=["feed_hash", "feed_secret"])
        record_action(actor, Action.FEED_CREATED)


def end_feed(actor: Actor) -> None:
    """End the member's calendar feed; does nothing and records nothing without one."""
    with transaction.atomic():
        row = Reminders.objects.filter(member=actor.known_member).exclude(feed_hash=None)
        if row.update(feed_hash=None, feed_secret=""):
            record_action(actor, Action.FEED_ENDED)


def feed_secret_of(row: Reminders) -> str:
    """The secret in the address of a feed; "" when there is none, or when it cannot be opened."""
    try:
        return secrets.feed_secret(row.member_id, row.feed_secret) if row.feed_secret else ""
    except SealBroken:
        return ""


def webhook_secret_of(row: Reminders) -> str:
    """The secret that signs webhooks; "" without one, or when it cannot be unsealed."""
    try:
        return (
            secrets.webhook_secret(row.member_id, row.webhook_secret) if row.webhook_secret else ""
        )
    except SealBroken:
        return ""
