"""The channel calendar: the ends of keys as iCalendar (RFC 5545), for feeds and single entries."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import UTC, datetime, timedelta

from django.conf import settings
from django.urls import reverse
from icalendar import Calendar, Event, Timezone, TimezoneStandard, vText

from estuary_admin.web.addresses import absolute_address
from keys.api_keys.rows import name_of
from keys.upstream import ApiKey
from keys.upstream.redaction import redact

REFRESH = timedelta(hours=6)
WHAT_TO_DO = (
    "Rotate this key, and put the new token where the old one is used. "
    "A key that is no longer needed can simply end."
)


class PlainText(vText):
    """A text whose backslashes stay: icalendar would turn one before an N into a line break."""

    def to_ical(self) -> bytes:
        escaped = self.replace("\\", "\\\\").replace(";", "\\;").replace(",", "\\,")
        return escaped.replace("\n", "\\n").encode()


def calendar_of(keys: Iterable[ApiKey], as_of: datetime, node_now: datetime) -> bytes:
    """The ends of keys as a calendar; only its DTSTAMP lines depend on when the list was read."""
    calendar = Calendar()
    calendar.add("prodid", "-//Estuary Admin//Ends of keys//EN")
    calendar.add("version", "2.0")
    calendar.add("name", "Ends of Estuary keys")
    calendar.add("x-wr-calname", "Ends of Estuary keys")
    calendar.add("refresh-interval", REFRESH, parameters={"VALUE": "DURATION"})
    for key in sorted(keys, key=lambda one: (one.expiry, one.token_hash)):
        if not (key.is_session or key.is_permanent_at(node_now)):
            calendar.add_component(_event(key, as_of))
    if not calendar.subcomponents:  # RFC 5545 asks for one component at least, of any kind
        calendar.add_component(_utc())
    body: bytes = calendar.to_ical()
    return body


def _utc() -> Timezone:
    """The time zone that the events of this calendar are in."""
    offset, zone = TimezoneStandard(), Timezone()
    offset.add("dtstart", datetime(1970, 1, 1))  # noqa: DTZ001 - RFC 5545 wants local time here
    offset.add("tzoffsetfrom", timedelta())
    offset.add("tzoffsetto", timedelta())
    offset.add("tzname", "UTC")
    zone.add("tzid", "UTC")
    zone.add_component(offset)
    return zone


def _event(key: ApiKey, as_of: datetime) -> Event:
    url = absolute_address(reverse("keys:key_detail", args=[key.token_hash]))
    event = Event()
    event.add("uid", f"{key.token_hash}@{settings.PUBLIC_URL.hostname}")
    event.add("dtstamp", as_of.astimezone(UTC).replace(microsecond=0))
    event.add("dtstart", key.expiry.astimezone(UTC).replace(microsecond=0))
    event.add("summary", PlainText(redact(f"{name_of(key, key.token_hash)} ends")))
    event.add("description", f"{WHAT_TO_DO}\n{url}")
    event.add("url", url)
    event.add("transp", "TRANSPARENT")
    return event
