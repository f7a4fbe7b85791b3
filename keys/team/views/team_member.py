"""One member as an admin sees them, and what the admin does for them."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

from django.contrib import messages
from django.contrib.auth.models import User
from django.http import Http404, HttpResponse
from django.urls import reverse
from django.utils import timezone
from django.views.decorators.http import require_http_methods

from estuary_admin.members import admins_only
from estuary_admin.secrets.sealing import SealBroken
from estuary_admin.security import interrupted_forms, password_links
from estuary_admin.security.fresh_proof import fresh_proof
from estuary_admin.web.redirects import go_to
from keys.access import upstream_errors_shown
from keys.actors import Actor, actor_of
from keys.api_keys.revoke_outcome import ENDED, Revocation
from keys.api_keys.rows import name_of
from keys.api_keys.views.key_revoke import sentence_of
from keys.http import AppRequest, render_page
from keys.models import SeenKey, StoredToken
from keys.team import acting
from keys.team.forms import MemberKeyRevokeForm
from keys.team.inventory import key_of
from keys.team.key_rows import rows_of
from keys.team.members import address_of, member_at
from keys.team.members import rows_of as member_rows_of
from keys.team.query import TeamKeysQuery
from keys.token.stored_tokens import NotConnected
from keys.upstream import UpstreamError

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
        "can_get_link": not password_links.reason_against(member),
        "page_url": request.get_full_path(),
    }
    return render_page(request, "keys/team_member.html", context)


def found_member(username: str) -> User:
    member = member_at(username)
    if member is None:
        raise Http404("No such member.")
    return member


def seen_key(member: User, token_hash: str) -> SeenKey:
    """A key of the member's as the worker last saw it; 404 without one."""
    seen = SeenKey.objects.filter(account__member=member, token_hash=token_hash)
    key = seen.select_related("account__member").first()
    if key is None:
        raise Http404("The worker has seen no such key of this member.")
    return key


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
@fresh_proof(keep=("reason", "incident"))
@upstream_errors_shown
def team_key_revoke(request: AppRequest, username: str, token_hash: str) -> HttpResponse:
    member, actor = found_member(username), actor_of(request)
    stored = StoredToken.objects.filter(member=member).first()
    form = _revoke_form(request)
    try:
        key = _found_key(actor, member, token_hash)
        if stored and form.is_valid():
            result = _revoked(actor, member, key, form)
            return _told(request, member, result, key)
    except (acting.ListInDoubt, SealBroken, NotConnected, UpstreamError) as error:
        messages.error(request, f"Nothing was revoked. {_reason(error)}", extra_tags="sticky")
        return go_to(request, page_of_member(member))
    [row] = rows_of([key], timezone.now())
    context = {"row": row, "member": member, "form": form, "is_connected": stored is not None}
    context |= {"address": address_of(member), "back_url": page_of_member(member)}
    context["is_own"] = stored is not None and stored.token_hash == token_hash
    return render_page(request, "keys/team_key_revoke.html", context)


def _revoke_form(request: AppRequest) -> MemberKeyRevokeForm:
    """Asks for an incident note when the admin comes from a token that was found somewhere."""
    kept = interrupted_forms.kept(request)
    return MemberKeyRevokeForm(
        request.POST if request.method == "POST" else None,
        initial=kept,
        is_incident="incident" in {*request.GET, *request.POST, *kept},
    )


def _found_key(actor: Actor, member: User, token_hash: str) -> SeenKey:
    key = acting.find_key(actor, member, token_hash)
    if key is None:
        raise Http404("This member has no such key.")
    return key


def _revoked(actor: Actor, member: User, key: SeenKey, form: MemberKeyRevokeForm) -> Revocation:
    reason = form.cleaned_data["reason"]
    return acting.revoke_for(actor, member, key, reason, is_incident=form.is_incident)


def _reason(error: Exception) -> str:
    """Why nothing was revoked; trouble that is not the member's own is raised again."""
    if isinstance(error, SealBroken):
        return "The member's stored token cannot be opened: the member must connect it again."
    if isinstance(error, NotConnected):
        return "The member is not connected."
    if isinstance(error, acting.ListInDoubt):
        return _for_admin(error.sentence)
    if isinstance(error, UpstreamError) and error.is_about_token:
        return f"Asked with the member's stored token, Estuary refused: {error.what}"
    raise error


def _told(request: AppRequest, member: User, result: Revocation, key: SeenKey) -> HttpResponse:
    listed, now = key_of(key), timezone.now() + key.account.clock_ahead
    # The worker, or the page before, saw the key in the member's list.
    text = sentence_of(
        replace(result, is_held=True, sentence=_for_admin(result.sentence)),
        name_of(listed, key.token_hash),
        had_ended=listed.is_expired(now),
    )
    if result.is_disconnected:
        text = f"{text} The member is disconnected: it was the key of this console."
    level = messages.SUCCESS if result.outcome in ENDED else messages.ERROR
    messages.add_message(request, level, text, extra_tags="sticky")
    return go_to(request, page_of_member(member))


def _for_admin(sentence: str) -> str:
    """A sentence that was written for the owner of the stored token."""
    return sentence.replace("your stored token", "the member's stored token")
