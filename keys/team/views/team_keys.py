"""All members' keys in one table, for admins."""

from __future__ import annotations

from typing import Any

from django.contrib import messages
from django.http import Http404, HttpResponse, HttpResponseBase, StreamingHttpResponse
from django.urls import reverse
from django.utils import timezone
from django.utils.http import content_disposition_header
from django.views.decorators.http import require_POST, require_safe

from estuary_admin.members import admins_only
from estuary_admin.web.redirects import go_to
from keys.actors import actor_of
from keys.audit.record import record_action
from keys.audit.vocabulary import Action
from keys.http import AppRequest, render_page
from keys.models import SeenKey
from keys.team import saved_views
from keys.team.key_rows import FORMS, rows_of
from keys.team.members import accounts_read_and_unread
from keys.team.query import KEY_CHOICES, SORTS, TeamKeysQuery
from keys.team.views.team import to_fingerprint

KEYS_PER_PAGE = 50
WORDS = {"status": "Status", "permission": "Permission", "origin": "Made", "finding": "Finding"}


@require_safe
@admins_only
def team_keys(request: AppRequest) -> HttpResponse:
    query, now = TeamKeysQuery.from_params(request.GET), timezone.now()
    if token := query.pasted_token:
        return to_fingerprint(request, token)
    if query.is_lost:
        messages.info(request, "The page that you asked for has moved. Here is the first one.")
        return go_to(request, f"{reverse('keys:team_keys')}?{query.text()}")
    found = query.page(now, KEYS_PER_PAGE)
    context = {
        "rows": rows_of(found[:KEYS_PER_PAGE], now),
        "count": query.rows(now).order_by().count(),
        "unread": accounts_read_and_unread()[1],
        "saved": saved_views.of_member(request.user),
        **_controls(query, found),
    }
    return render_page(request, "keys/team_keys.html", context)


def _controls(query: TeamKeysQuery, found: list[SeenKey]) -> dict[str, Any]:
    """Filters, orders and links around the rows; `found` has one more than the page shows."""
    here, shown = reverse("keys:team_keys"), found[:KEYS_PER_PAGE]
    return {
        "team_query": query,
        "selects": [
            (name, WORDS[name], choices, query.filters.get(name, ""))
            for name, choices in KEY_CHOICES.items()
        ],
        "sorts": {column: _sort_link(query, column) for column in SORTS},
        "first_url": f"{here}?{query.text()}" if query.after else "",
        "next_url": f"{here}?{query.text(after=shown[-1].pk)}" if len(found) > len(shown) else "",
        "downloads": [
            (form, f"{reverse('keys:team_keys_download')}?{query.text(form=form)}")
            for form in FORMS
        ],
        "query_text": query.text(),
        "clear_url": here if query.filters else "",
    }


def _sort_link(query: TeamKeysQuery, column: str) -> dict[str, str]:
    is_up, is_down = query.sort == column, query.sort == f"-{column}"
    return {
        "url": f"?{query.text(sort=f'-{column}' if is_up else column)}",
        "direction": "ascending" if is_up else "descending" if is_down else "none",
    }


@require_safe
@admins_only
def team_keys_download(request: AppRequest) -> HttpResponseBase:
    form = request.GET.get("form", "")
    if form not in FORMS:
        raise Http404("No such form of the report.")
    query, now = TeamKeysQuery.from_params(request.GET), timezone.now()
    if token := query.pasted_token:
        return to_fingerprint(request, token)
    rows = query.rows(now)
    if request.method == "HEAD":
        rows = rows.none()
    else:
        facts = {"form": form} | query.filters
        record_action(actor_of(request), Action.TEAM_DOWNLOADED, detail=facts)
    content_type, lines = FORMS[form]
    name = f"estuary-admin-keys-{now:%Y%m%d-%H%M%S}.{form}"
    headers = {"Content-Disposition": content_disposition_header(True, name) or ""}
    return StreamingHttpResponse(lines(rows, now), content_type=content_type, headers=headers)


@require_POST
@admins_only
def team_view_change(request: AppRequest) -> HttpResponse:
    """Save the filter under a name, or remove a saved one."""
    here, name = reverse("keys:team_keys"), request.POST.get("name", "")
    if removed := request.POST.get("remove", ""):
        if saved_views.remove(request.user, removed):
            messages.success(request, "View removed.")
        else:
            messages.info(request, "You have no such view any more.")
        return go_to(request, here)
    query = TeamKeysQuery.from_query(request.POST.get("query", ""))
    if query.pasted_token:
        messages.error(request, saved_views.REFUSED)
        return go_to(request, here)  # no address with the token in it
    text = query.text()
    if problem := saved_views.save(request.user, name, text):
        messages.error(request, problem)
    else:
        messages.success(request, "View saved.")
    return go_to(request, f"{here}?{text}")
