"""Theme and time zone: kept in the database, carried in the session, applied to each request."""

from __future__ import annotations

from collections.abc import Callable
from urllib.parse import unquote
from zoneinfo import ZoneInfo

from django.contrib.auth.models import User
from django.http import HttpRequest, HttpResponseBase
from django.utils import timezone

from keys.account.choices import time_zones
from keys.models import Preferences

COOKIE = "timezone"  # set by console.js to what the browser's clock says


class PreferencesMiddleware:
    def __init__(self, get_response: Callable[[HttpRequest], HttpResponseBase]) -> None:
        self.get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponseBase:
        name = request.session.get("time_zone") or detected_time_zone(request)
        if name not in time_zones():  # none is known, or the system no longer knows this one
            return self.get_response(request)
        with timezone.override(ZoneInfo(name)):
            return self.get_response(request)


def detected_time_zone(request: HttpRequest) -> str:
    """What the browser said its zone is, or "" when it said nothing we know."""
    name = unquote(request.COOKIES.get(COOKIE, ""))
    return name if name in time_zones() else ""


def preferences_of(member: User) -> Preferences:
    return Preferences.objects.filter(member=member).first() or Preferences(member=member)


def take_into_session(request: HttpRequest, member: User) -> None:
    """Copy a member's preferences into the session, so that pages need no query for them."""
    kept = preferences_of(member)
    request.session["theme"] = kept.theme
    request.session["time_zone"] = kept.time_zone
    request.session["shortcuts"] = kept.shortcuts
