"""The page of a member's reminders: thresholds, channels, tests, and notices."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from django.conf import settings
from django.contrib import messages
from django.http import HttpResponse
from django.urls import reverse
from django.views.decorators.debug import sensitive_variables
from django.views.decorators.http import require_http_methods

from estuary_admin.members import is_admin
from estuary_admin.security import interrupted_forms
from estuary_admin.security.fresh_proof import fresh_proof
from estuary_admin.web.addresses import absolute_address
from estuary_admin.web.redirects import go_to
from keys.access import signed_in, upstream_errors_shown
from keys.actors import actor_of
from keys.http import AppRequest, render_page
from keys.notices import choices, outbox
from keys.notices.forms import RemindersForm

MESSAGES_SHOWN = 50


@require_http_methods(["GET", "HEAD", "POST"])
@signed_in
@fresh_proof(keep=("webhook_url",), keep_lists=("days",))
@upstream_errors_shown
def reminders(request: AppRequest) -> HttpResponse:
    """One form; its buttons say by `do` what is wanted."""
    if request.method != "POST":
        return _page(request, _form_as_saved(request))
    do = next((do for name, do in BUTTONS.items() if name in request.POST), None)
    if do:
        messages.success(request, do(request))
        return go_to(request, reverse("keys:reminders"))
    form = RemindersForm(request.POST)
    if form.is_valid():
        try:
            choices.save_choices(actor_of(request), **form.cleaned_data)
        except choices.WrongWebhook as error:
            form.add_error("webhook_url", str(error))
        else:
            messages.success(request, "Reminders saved.")
            return go_to(request, reverse("keys:reminders"))
    return _page(request, form)


def _form_as_saved(request: AppRequest) -> RemindersForm:
    row = choices.reminders_of(request.user)
    saved = {"days": row.days, "webhook_url": row.webhook_url}
    return RemindersForm(initial=saved | interrupted_forms.kept(request))


def _test(request: AppRequest) -> str:
    return f"Test on its way: {', '.join(choices.send_test(actor_of(request)))}."


def _create_feed(request: AppRequest) -> str:
    choices.create_feed(actor_of(request))
    return "Feed created. Its former address, if there was one, has ended."


def _end_feed(request: AppRequest) -> str:
    choices.end_feed(actor_of(request))
    return "Feed ended."


def _dismiss(request: AppRequest) -> str:
    outbox.dismiss(request.user, request.POST["dismiss"])
    return "Notice dismissed."


BUTTONS: dict[str, Callable[[AppRequest], str]] = {
    "test": _test,
    "create_feed": _create_feed,
    "end_feed": _end_feed,
    "dismiss": _dismiss,
}


@sensitive_variables("secret", "context")
def _page(request: AppRequest, form: RemindersForm) -> HttpResponse:
    row = choices.reminders_of(request.user)
    secret = choices.feed_secret_of(row)
    context: dict[str, Any] = {
        "form": form,
        "has_mail_server": settings.HAS_MAIL_SERVER,
        "has_webhook": bool(row.webhook_url),
        "webhook_secret": choices.webhook_secret_of(row),
        "has_feed": row.feed_hash is not None,
        "feed_url": absolute_address(reverse("keys:feed", args=[secret])) if secret else "",
        "notices": outbox.notices_of(request.user)[:MESSAGES_SHOWN],
        "undelivered": outbox.undelivered()[:MESSAGES_SHOWN] if is_admin(request.user) else None,
    }
    return render_page(request, "keys/reminders.html", context)
