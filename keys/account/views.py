"""The account page: the health of the stored token, and preferences."""

from __future__ import annotations

from django.contrib import messages
from django.http import HttpResponse
from django.shortcuts import render
from django.utils import timezone
from django.views.decorators.http import require_http_methods

from estuary_admin.security.member_sessions import living
from estuary_admin.web.redirects import go_to
from keys.access import signed_in
from keys.account.forms import PreferencesForm
from keys.account.preferences import (
    PREFERENCES,
    detected_time_zone,
    preferences_of,
    save_preferences,
    take_into_session,
)
from keys.actors import actor_of
from keys.http import AppRequest
from keys.models import StoredToken
from keys.token.health import health_of
from keys.token.renewal import renews_at


@require_http_methods(["GET", "HEAD", "POST"])
@signed_in
def account(request: AppRequest) -> HttpResponse:
    kept = preferences_of(request.user)
    form = PreferencesForm(
        request.POST if request.method == "POST" else None,
        initial={name: getattr(kept, name) for name in PREFERENCES},
        detected=detected_time_zone(request),
    )
    if request.method == "POST" and form.is_valid():
        save_preferences(actor_of(request), kept, form.cleaned_data)
        take_into_session(request, request.user)
        messages.success(request, "Preferences saved.")
        return go_to(request, "keys:account")
    stored = StoredToken.objects.filter(member=request.user).first()
    health = health_of(stored, actor_of(request), timezone.now())
    context = {
        "form": form,
        "stored_token": stored,
        "renews_at": renews_at(stored),
        "health": health,
        "clock_ahead": health.clock_ahead,
        "clock_warning": health.clock_warning,
        "sessions": living(request.user),
    }
    return render(request, "keys/account.html", context)
