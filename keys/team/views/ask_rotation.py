"""Asking a member to rotate a key by a date, and withdrawing the request."""

from __future__ import annotations

from django.contrib import messages
from django.http import HttpResponse
from django.utils import timezone
from django.views.decorators.http import require_http_methods

from estuary_admin.members import admins_only
from estuary_admin.security import interrupted_forms
from estuary_admin.security.fresh_proof import fresh_proof
from estuary_admin.web.redirects import go_to
from keys.actors import actor_of
from keys.api_keys.rows import name_of
from keys.http import AppRequest, render_page
from keys.models import SeenKey, StoredToken
from keys.team import requested_rotations
from keys.team.forms import AskRotationForm
from keys.team.inventory import key_of
from keys.team.key_rows import rows_of
from keys.team.members import address_of
from keys.team.requested_rotations import CannotAsk, Wish
from keys.team.views.team_member import found_member, page_of_member, seen_key
from keys.templatetags.formats import exact_moment


@require_http_methods(["GET", "HEAD", "POST"])
@admins_only
@fresh_proof(keep=("by", "reason", "revokes"))
def team_key_ask_rotation(request: AppRequest, username: str, token_hash: str) -> HttpResponse:
    seen = seen_key(found_member(username), token_hash)
    if request.method == "POST" and "withdraw" in request.POST:
        return _withdraw(request, seen)
    form = AskRotationForm(
        request.POST if request.method == "POST" else None,
        initial=interrupted_forms.kept(request),
        latest=seen.expiry - seen.account.clock_ahead,
    )
    refusal = requested_rotations.reason_against(seen)
    if not refusal and form.is_valid():
        data = form.cleaned_data
        try:
            return _ask(request, seen, Wish(data["reason"], data["by"], data["revokes"]))
        except CannotAsk as error:
            refusal = error.sentence
    return _page(request, seen, form, refusal)


def _ask(request: AppRequest, seen: SeenKey, wish: Wish) -> HttpResponse:
    member = seen.account.member
    requested_rotations.ask(actor_of(request), seen, wish)
    name, by = name_of(key_of(seen), seen.token_hash), exact_moment(wish.deadline)
    messages.success(request, f"{member.get_username()} is asked to rotate {name} by {by}.")
    return go_to(request, page_of_member(member))


def _withdraw(request: AppRequest, seen: SeenKey) -> HttpResponse:
    if requested_rotations.withdraw(actor_of(request), seen):
        messages.success(request, "The request is withdrawn, and the member is told.")
    else:
        messages.info(request, "There is no open request for this key any more.")
    return go_to(request, page_of_member(seen.account.member))


def _page(request: AppRequest, seen: SeenKey, form: AskRotationForm, refusal: str) -> HttpResponse:
    member = seen.account.member
    [row] = rows_of([seen], timezone.now())
    stored = StoredToken.objects.filter(member=member).first()
    context = {
        "row": row,
        "member": member,
        "form": form,
        "refusal": refusal,
        "is_connected": stored is not None,
        "is_of_console": stored is not None and stored.token_hash == seen.token_hash,
        "address": address_of(member),
        "back_url": page_of_member(member),
    }
    return render_page(request, "keys/team_key_ask_rotation.html", context)
