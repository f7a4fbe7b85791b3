"""The list of members, for admins."""

from __future__ import annotations

from typing import Any

from django.contrib import messages
from django.contrib.auth.models import User
from django.http import Http404, HttpResponse
from django.urls import reverse
from django.views.decorators.http import require_POST, require_safe

from estuary_admin.members import admins_only
from estuary_admin.security.password_links import local_accounts_are_on
from estuary_admin.web.redirects import can_visit, go_to
from keys.http import AppRequest, render_page
from keys.jobs.queues import wake
from keys.jobs.tasks import sync
from keys.pasted_tokens import token_in
from keys.team.members import counts_by_state, member_at, members_for, rows_of
from keys.team.query import MEMBER_CHOICES, TeamQuery
from keys.team.sync import refresh
from keys.upstream import fingerprint_of, hash_of

MEMBERS_PER_PAGE = 50


@require_safe
@admins_only
def team(request: AppRequest) -> HttpResponse:
    query = TeamQuery.from_params(request.GET)
    if token := token_in(query.filters.values()):
        return to_fingerprint(request, token)
    found = query.page(members_for(query), MEMBERS_PER_PAGE)
    shown, here = found[:MEMBERS_PER_PAGE], reverse("keys:team")
    context: dict[str, Any] = {
        "team_query": query,
        "rows": rows_of(shown),
        "has_local_accounts": local_accounts_are_on(),
        "chips": _chips(query, here),
        "roles": MEMBER_CHOICES["role"],
        "first_url": f"{here}?{query.text()}" if query.after else "",
        "next_url": f"{here}?{query.text(after=shown[-1].pk)}" if len(found) > len(shown) else "",
        "page_url": request.get_full_path(),
    }
    return render_page(request, "keys/team.html", context)


def _chips(query: TeamQuery, here: str) -> list[dict[str, object]]:
    counts = counts_by_state()
    return [
        {
            "words": words,
            "count": counts[state],
            "url": f"{here}?{query.text(state=state)}",
            "is_current": query.filters.get("state", "") == state,
        }
        for state, words in MEMBER_CHOICES["state"].items()
    ]


@require_POST
@admins_only
def team_refresh(request: AppRequest) -> HttpResponse:
    """Have the worker look now, at one member's account or at all."""
    members = User.objects.all()
    if name := request.POST.get("member", ""):
        member = member_at(name)
        if member is None:
            raise Http404("No such member.")
        members = members.filter(pk=member.pk)
    count = refresh(members)
    wake(sync)
    accounts = f"{count} account{'' if count == 1 else 's'}"
    messages.success(
        request, f"The worker is asked to look at {accounts}. Reload the page in a moment."
    )
    back = request.POST.get("next", "")
    return go_to(request, back if can_visit(back) else "keys:team")


def to_fingerprint(request: AppRequest, token: str) -> HttpResponse:
    """A whole token was searched for: show the keys with its fingerprint instead."""
    messages.warning(
        request,
        "You searched for a whole token. It is now in your browser's history, so clear that. "
        "Here is what the team has under its fingerprint.",
        extra_tags="sticky",
    )
    here = reverse("keys:team_keys")
    return go_to(request, f"{here}?q={fingerprint_of(hash_of(token))}")
