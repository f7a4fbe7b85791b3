"""Calendars: the private feed, which needs no sign-in, and the end of one key."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable

from django.contrib.auth.decorators import login_not_required
from django.http import Http404, HttpRequest, HttpResponse, HttpResponseBase
from django.utils import timezone
from django.utils.cache import get_conditional_response
from django.utils.http import content_disposition_header
from django.views.decorators.http import require_safe

from estuary_admin.secrets.sealing import SealBroken
from keys.access import connected, upstream_errors_shown
from keys.actors import Actor, actor_of
from keys.api_keys import key_lists
from keys.api_keys.key_lists import Snapshot
from keys.http import AppRequest
from keys.models import Reminders, StoredToken
from keys.notices.calendar import calendar_of
from keys.notices.secrets import feed_hash
from keys.upstream import ApiKey, UpstreamError

RETRY_SECONDS = 600


@require_safe
@login_not_required
def feed(request: HttpRequest, secret: str) -> HttpResponseBase:
    rows = Reminders.objects.filter(feed_hash=feed_hash(secret), member__is_active=True)
    row = rows.select_related("member").first()
    if row is None:
        raise Http404("No such feed.")
    stored = StoredToken.objects.filter(member=row.member).select_related("member").first()
    if stored is None:
        raise Http404("No such feed.")
    try:
        actor = Actor.for_job("feed", row.member)
        listed = key_lists.last_known(stored) or key_lists.current_list(stored, actor, reuse=True)
    except (UpstreamError, SealBroken):
        return HttpResponse(
            "Estuary gives no list now.",
            status=503,
            content_type="text/plain",
            headers={"Retry-After": str(RETRY_SECONDS)},
        )
    return _calendar(request, listed, listed.keys, "estuary-keys.ics")


@require_safe
@connected
@upstream_errors_shown
def key_ends(request: AppRequest, token_hash: str) -> HttpResponseBase:
    listed = key_lists.list_for(request.stored_token, actor_of(request), token_hash)
    key = listed.find(token_hash)
    if key is None or key.is_session:
        raise Http404("Estuary does not list this key")
    return _calendar(request, listed, [key], f"estuary-key-{key.fingerprint}.ics")


def _calendar(
    request: HttpRequest, listed: Snapshot, keys: Iterable[ApiKey], name: str
) -> HttpResponseBase:
    body = calendar_of(keys, listed.fetched_at, listed.node_now(timezone.now()))
    response = HttpResponse(body, content_type="text/calendar; charset=utf-8")
    response["Content-Disposition"] = content_disposition_header(True, name) or ""
    # Weak, and without the lines that tell when the list was read: they change with every look.
    lasting = b"\n".join(line for line in body.splitlines() if not line.startswith(b"DTSTAMP"))
    response["ETag"] = f'W/"{hashlib.sha256(lasting).hexdigest()}"'
    response["Cache-Control"] = "private, no-cache"
    answer = get_conditional_response(request, etag=response["ETag"], response=response)
    assert answer is not None  # noqa: S101 - it is given a response
    return answer
