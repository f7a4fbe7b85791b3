"""Theme and time zone: kept in the database, copied into the session, applied to each request."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from urllib.parse import unquote
from zoneinfo import ZoneInfo

from django.contrib.auth.models import User
from django.db import transaction
from django.http import HttpRequest, HttpResponseBase
from django.utils import timezone

from keys.account.choices import time_zones
from keys.actors import Actor
from keys.audit.record import record_action
from keys.audit.vocabulary import Action
from keys.models import Preferences

TIME_ZONE_COOKIE = "timezone"  # set by console.js to the zone of the browser
PREFERENCES = ("theme", "time_zone", "shortcuts")


class PreferencesMiddleware:
    """Show times in the member's zone, or else in the browser's."""

    def __init__(self, get_response: Callable[[HttpRequest], HttpResponseBase]) -> None:
        self.get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponseBase:
        name = request.session.get("time_zone") or detected_time_zone(request)
        if name not in time_zones():  # none is known, or the system no longer knows this one
            return self.get_response(request)
        with timezone.override(ZoneInfo(name)):
            return self.get_response(request)


def detected_time_zone(request: HttpRequest) -> str:
    """The zone of the browser; "" when it named none that the system knows."""
    name = unquote(request.COOKIES.get(TIME_ZONE_COOKIE, ""))
    return name if name in time_zones() else ""


def preferences_of(member: User) -> Preferences:
    """The member's preferences; the defaults, not saved, when nothing was chosen."""
    return Preferences.objects.filter(member=member).first() or Preferences(member=member)


def save_preferences(actor: Actor, kept: Preferences, chosen: Mapping[str, str | bool]) -> None:
    """Keep what was chosen; the audit names what changed, but not to which value."""
    changed = [name for name in PREFERENCES if getattr(kept, name) != chosen[name]]
    for name in changed:
        setattr(kept, name, chosen[name])
    with transaction.atomic():
        kept.save()
        if changed:
            facts = {"changed": ", ".join(changed)}
            record_action(actor, Action.PREFERENCES_CHANGED, detail=facts)


def take_into_session(request: HttpRequest, member: User) -> None:
    """Copy a member's preferences into the session, so that pages need no query for them."""
    kept = preferences_of(member)
    for name in PREFERENCES:
        request.session[name] = getattr(kept, name)
