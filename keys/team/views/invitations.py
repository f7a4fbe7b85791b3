"""Inviting a member, and a link by which a member sets a password. A link is shown once."""

from __future__ import annotations

from typing import Any

from django.contrib import messages
from django.contrib.auth.models import User
from django.http import Http404, HttpResponse
from django.urls import reverse
from django.views.decorators.debug import sensitive_variables
from django.views.decorators.http import require_http_methods

from estuary_admin.members import admins_only, name_problem
from estuary_admin.security import interrupted_forms, password_links
from estuary_admin.security.fresh_proof import fresh_proof
from estuary_admin.web.addresses import public_address
from estuary_admin.web.redirects import go_to
from keys.actors import actor_of
from keys.http import AppRequest, render_page
from keys.team import invitations
from keys.team.forms import InviteForm
from keys.team.invitations import Invitation, NameTaken, NoLink
from keys.team.members import address_of
from keys.team.views.team_member import found_member, page_of_member

FORM_METHODS = ["GET", "HEAD", "POST"]


@require_http_methods(FORM_METHODS)
@admins_only
@fresh_proof(keep=("username", "email", "is_admin"))
@sensitive_variables("secret")
def team_invite(request: AppRequest) -> HttpResponse:
    if not password_links.local_accounts_are_on():
        raise Http404("This console has no local accounts.")
    form = InviteForm(
        request.POST if request.method == "POST" else None,
        initial=interrupted_forms.kept(request),
    )
    if form.is_valid():
        data = form.cleaned_data
        problem = name_problem(data["username"], data["email"])
        try:
            if not problem:
                invitation = Invitation(data["username"], data["email"], data["is_admin"])
                return _shown_once(request, *invitations.invite(actor_of(request), invitation))
        except NameTaken:
            problem = "There is a member of this name already."
        form.add_error("username", problem)
    return render_page(request, "keys/team_invite.html", {"form": form})


@require_http_methods(FORM_METHODS)
@admins_only
@fresh_proof()
@sensitive_variables("secret")
def team_link(request: AppRequest, username: str) -> HttpResponse:
    member = found_member(username)
    if request.method == "POST" and "end" in request.POST:
        is_ended = invitations.end_link(actor_of(request), member)
        messages.success(request, "The link is ended." if is_ended else "There is no link.")
        return go_to(request, page_of_member(member))
    if request.method == "POST":
        try:
            secret = invitations.make_link(actor_of(request), member)
        except NoLink as error:
            messages.error(request, error.sentence)
            return go_to(request, page_of_member(member))
        return _shown_once(request, member, secret)
    is_own = member.pk == request.user.pk
    context: dict[str, Any] = {
        "member": member,
        "address": address_of(member),
        "refusal": password_links.reason_against(member)
        or ("Change your own password on your account page." if is_own else ""),
        "open_link": password_links.open_link_of(member),
        "back_url": page_of_member(member),
    }
    return render_page(request, "keys/team_link.html", context)


@sensitive_variables("secret", "context")
def _shown_once(request: AppRequest, member: User, secret: str) -> HttpResponse:
    """Answer the POST itself: a redirect would have to store the link to show it."""
    context: dict[str, Any] = {
        "member": member,
        "link": public_address("password_link", secret=secret),
        "back_url": reverse("keys:team_member", args=[address_of(member)]),
        "hours": int(password_links.LIFETIME.total_seconds()) // 3600,
    }
    return render_page(request, "keys/team_link_made.html", context)
