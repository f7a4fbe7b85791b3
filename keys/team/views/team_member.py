"""One member as an admin sees them, and what the admin does for them."""

from __future__ import annotations

from typing import Any

from django.contrib import messages
from django.contrib.auth.models import User
from django.http import Http404, HttpResponse
from django.urls import reverse
from django.utils import timezone
from django.views.decorators.http import require_http_methods

from estuary_admin.members import admins_only
from estuary_admin.security import interrupted_forms
from estuary_admin.security.fresh_proof import fresh_proof
from estuary_admin.web.redirects import go_to
from keys.access import upstream_errors_shown
from keys.actors import actor_of
from keys.api_keys.revoke_outcome import ENDED, Revocation
from keys.api_keys.rows import name_of
from keys.api_keys.views.key_revoke import SENTENCES
from keys.http import AppRequest, render_page
from keys.models import SeenKey, StoredToken
from keys.team import acting
from keys.team.forms import ReasonForm
from keys.team.inventory import key_of
from keys.team.key_rows import rows_of
from keys.team.members import address_of, member_at
from keys.team.members import rows_of as member_rows_of
from keys.team.query import TeamKeysQuery

KEYS_SHOWN = 200


@require_http_methods(["GET", "HEAD", "POST"])
@admins_only
def team_member(request: AppRequest, username: str) -> HttpResponse:
    member = found_member(username)
    if request.method == "POST":
        return _ask_to_connect(request, member)
    [row] = member_rows_of([member])
    now = timezone.now()
    found = TeamKeysQuery({"owner": member.get_username()}).page(now, KEYS_SHOWN)
    context: dict[str, Any] = {
        "row": row,
        "member": member,
        "address": address_of(member),
        "rows": rows_of(found[:KEYS_SHOWN], now),
        "has_more": len(found) > KEYS_SHOWN,
        "page_url": request.get_full_path(),
    }
    return render_page(request, "keys/team_member.html", context)


def found_member(username: str) -> User:
    member = member_at(username)
    if member is None:
        raise Http404("No such member.")
    return member


def _ask_to_connect(request: AppRequest, member: User) -> HttpResponse:
    if StoredToken.objects.filter(member=member).exists() or not member.is_active:
        messages.info(request, "Nobody was reminded: the member is connected, or disabled.")
    else:
        acting.ask_to_connect(actor_of(request), member)
        messages.success(request, "The member has been reminded to connect.")
    return go_to(request, page_of_member(member))


def page_of_member(member: User) -> str:
    return reverse("keys:team_member", args=[address_of(member)])


@require_http_methods(["GET", "HEAD", "POST"])
@admins_only
@fresh_proof(keep=("reason",))
@upstream_errors_shown
def team_key_revoke(request: AppRequest, username: str, token_hash: str) -> HttpResponse:
    member = found_member(username)
    seen = SeenKey.objects.filter(account__member=member, token_hash=token_hash)
    key = seen.select_related("account__member").first()
    if key is None:
        raise Http404("The worker has seen no such key of this member.")
    is_connected = StoredToken.objects.filter(member=member).exists()
    form = ReasonForm(
        request.POST if request.method == "POST" else None,
        initial=interrupted_forms.kept(request),
    )
    if is_connected and form.is_valid():
        actor = actor_of(request)
        result = acting.revoke_for(actor, member, key, form.cleaned_data["reason"])
        return _told(request, member, result, name_of(key_of(key), token_hash))
    [row] = rows_of([key], timezone.now())
    context = {"row": row, "member": member, "form": form, "is_connected": is_connected}
    context |= {"address": address_of(member), "back_url": page_of_member(member)}
    return render_page(request, "keys/team_key_revoke.html", context)


def _told(request: AppRequest, member: User, result: Revocation, name: str) -> HttpResponse:
    text = SENTENCES[result.outcome].format(name=name, sentence=result.sentence).strip()
    if result.is_disconnected:
        text = f"{text} The member is disconnected: it was the key of this console."
    level = messages.SUCCESS if result.outcome in ENDED else messages.ERROR
    messages.add_message(request, level, text, extra_tags="sticky")
    return go_to(request, page_of_member(member))
