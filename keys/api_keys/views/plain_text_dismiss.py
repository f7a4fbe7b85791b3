"""Dismissing the count of keys in plain text."""

from __future__ import annotations

from django.contrib import messages
from django.http import HttpResponse
from django.utils.html import format_html
from django.views.decorators.http import require_POST

from estuary_admin.web.redirects import go_to, page_before
from keys.access import connected, upstream_errors_shown
from keys.actors import actor_of
from keys.api_keys.plain_text import dismiss_plain_text
from keys.api_keys.query import KeyQuery, Status
from keys.http import AppRequest


@require_POST
@connected
@upstream_errors_shown
def plain_text_dismiss(request: AppRequest) -> HttpResponse:
    dismiss_plain_text(actor_of(request), request.stored_token)
    them = KeyQuery(status=Status.LEGACY).url()
    sentence = 'Dismissed until there is a further key in plain text. <a href="{}">Show them</a>'
    messages.info(request, format_html(sentence, them))
    return go_to(request, page_before(request) or "keys:key_list")
