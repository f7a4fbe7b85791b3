"""The outbox: a row for each message and channel, sent once, tried again, then given up."""

from __future__ import annotations

import contextlib
import logging
import threading
from collections.abc import Callable, Iterable
from functools import cache

from django.conf import settings
from django.contrib.auth.models import User
from django.core.exceptions import ValidationError
from django.db.models import QuerySet
from django.utils import timezone

from estuary_admin.storage.prepared_queries import PreparedQuery
from keys.jobs import claims
from keys.models import Message, Reminders
from keys.notices import mail, webhook
from keys.notices.channels import DeliveryFailed
from keys.notices.digest import Content

logger = logging.getLogger("estuary_admin.notices")

Channel = Message.Channel
#: With the waits of `claims`, a message is tried for about a day.
MAX_TRIES = 30
DELIVER: dict[str, Callable[[Message], None]] = {
    Channel.EMAIL: mail.deliver,
    Channel.WEBHOOK: webhook.deliver,
}
#: After this time a thread begins no further delivery; the next wake-up goes on.
DELIVERY_SECONDS = 20.0
_delivering = {channel: threading.Lock() for channel in DELIVER}


def enqueue(
    member: User,
    content: Content,
    *,
    extra_mail: Iterable[str] = (),
    on_page: bool = True,
    webhook_only: bool = False,
) -> list[Message]:
    """Write a message over every channel of a member, and by mail to the addresses beside it.

    Call it in the transaction of what the message tells: both happen or neither does.
    """
    routes: list[tuple[str, str]] = [(Channel.PAGE, "")] if on_page else []
    routes += routes_of(member)
    if settings.HAS_MAIL_SERVER:
        routes += [(Channel.EMAIL, address) for address in extra_mail]
        routes = list(dict.fromkeys(routes))
    if webhook_only:
        routes = [route for route in routes if route[0] == Channel.WEBHOOK]
    return Message.objects.bulk_create(
        Message(
            member=member,
            channel=channel,
            recipient=recipient,
            kind=content.kind,
            subject=content.subject,
            text=content.text,
            html=content.html if channel == Channel.EMAIL else "",
            data=_data_for(channel, content),
            # A notice is on the page as soon as its row is there.
            due_at=None if channel == Channel.PAGE else timezone.now(),
        )
        for channel, recipient in routes
    )


def _data_for(channel: str, content: Content) -> dict[str, object]:
    if channel == Channel.PAGE:
        return {"path": content.path} if content.path else {}
    return content.data if channel == Channel.WEBHOOK else {}


def routes_of(member: User) -> list[tuple[str, str]]:
    """The member's own channels beside the page, each with its recipient.

    A disabled member is told nothing more.
    """
    found: list[tuple[str, str]] = []
    if not member.is_active:
        return found
    if settings.HAS_MAIL_SERVER and member.email:
        found.append((Channel.EMAIL, member.email))
    if reminders := _with_webhook().first(member.pk, ""):
        found.append((Channel.WEBHOOK, reminders.webhook_url))
    return found


@cache
def _with_webhook() -> PreparedQuery[Reminders]:
    return PreparedQuery(Reminders.objects.filter(member=0).exclude(webhook_url=""))


def deliver_due() -> None:
    """Deliver the messages that are due, each channel in one thread of this process and not for
    long: other short work must not wait for slow receivers."""
    for channel, lock in _delivering.items():
        rows = Message.objects.filter(channel=channel)
        claims.bring_forward(rows, claims.FARTHEST_RETRY)
        if lock.acquire(blocking=False):
            try:
                claims.work_off(
                    rows.select_related("member"), _deliver, for_seconds=DELIVERY_SECONDS
                )
            finally:
                lock.release()


def _deliver(message: Message) -> None:
    claims.confirm(message)
    if not (message.member.is_active or message.recipient in settings.EXPIRY_FALLBACK_EMAILS):
        reason = "The member was disabled meanwhile."
        claims.conclude(message, failed_at=timezone.now(), last_error=reason)
        return
    try:
        DELIVER[message.channel](message)
    except DeliveryFailed as error:
        _failed(message, error)
    else:
        claims.conclude(message, sent_at=timezone.now(), last_error="")


def _failed(message: Message, error: DeliveryFailed) -> None:
    tries = message.failures + 1
    is_over = error.is_final or tries >= MAX_TRIES
    logger.warning("message_not_delivered", extra={"reason": f"{message.number} {error.reason}"})
    claims.conclude(
        message,
        again_at=None if is_over else claims.retry_at(message.failures),
        failures=tries,
        last_error=error.reason,
        failed_at=timezone.now() if is_over else None,
    )


def notices_of(member: User) -> QuerySet[Message]:
    """The notices on the page that the member has not dismissed, newest first."""
    found = Message.objects.filter(member=member, channel=Channel.PAGE, read_at=None)
    return found.order_by("-created_at")


def notice_count(member: User) -> int:
    """The number of notices that the member has not dismissed; the key list asks on every visit."""
    return len(_undismissed().rows(member.pk, Channel.PAGE.value))


@cache
def _undismissed() -> PreparedQuery[Message]:
    # One filter after another: a single one would sort its conditions.
    found = Message.objects.filter(member=0).filter(channel=Channel.PAGE).filter(read_at=None)
    return PreparedQuery(found.order_by().values_list("pk"))


def dismiss(member: User, number: str) -> None:
    """Mark a notice as read; a number that is none of the member's changes nothing."""
    with contextlib.suppress(ValidationError):
        notices_of(member).filter(number=number).update(read_at=timezone.now())


def undelivered() -> QuerySet[Message]:
    """Messages that failed at least once and have not got through, for admins; newest first."""
    found = Message.objects.filter(channel__in=list(DELIVER), failures__gt=0, sent_at=None)
    return found.select_related("member").order_by("-created_at")
