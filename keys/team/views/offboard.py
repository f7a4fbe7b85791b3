"""Off-boarding a member: what exists, a dry run, the start, progress and the report."""

from __future__ import annotations

import unicodedata
from typing import Any

from django.contrib import messages
from django.contrib.auth.models import User
from django.http import Http404, HttpRequest, HttpResponse, JsonResponse
from django.urls import reverse
from django.utils.http import content_disposition_header
from django.views.decorators.http import require_http_methods, require_safe

from estuary_admin.members import admins_only
from estuary_admin.security import interrupted_forms
from estuary_admin.security.fresh_proof import fresh_proof
from estuary_admin.web.redirects import go_to
from keys.access import upstream_errors_shown
from keys.actors import actor_of
from keys.http import AppRequest, render_page
from keys.jobs.queues import wake
from keys.jobs.tasks import off_board
from keys.models import OffBoarding
from keys.team import off_board_plan, offboarding
from keys.team.forms import OffBoardForm
from keys.team.members import address_of, member_at
from keys.team.offboarding import CannotStart
from keys.team.views.team_member import found_member

Form = OffBoardForm | None


def _is_not_watching(request: HttpRequest) -> bool:
    """To watch an off-boarding, or read how it ended, takes no proof: the page asks by itself."""
    if request.method == "POST" or request.resolver_match is None:
        return True
    member = member_at(request.resolver_match.kwargs["username"])
    return member is None or off_board_plan.latest_of(member) is None


@require_http_methods(["GET", "HEAD", "POST"])
@admins_only
@fresh_proof(keep=("reason", "successor", "confirm"), keep_lists=("keep",), when=_is_not_watching)
@upstream_errors_shown
def team_offboard(request: AppRequest, username: str) -> HttpResponse:
    member = found_member(username)
    latest = off_board_plan.latest_of(member)
    if latest and latest.is_open:
        return _in_progress(request, member, latest)
    plan = off_board_plan.plan_of(member)
    is_dry = "dry_run" in request.POST
    form = OffBoardForm(
        request.POST if request.method == "POST" else None,
        initial=interrupted_forms.kept(request),
        name=member.get_username(),
        listed=plan.hashes,
        is_dry=is_dry,
    )
    if form.is_valid() and _successor_is_right(form, member):
        if is_dry:
            dry = off_board_plan.dry_run(actor_of(request), member, form.cleaned_data["keep"])
            return _page(request, member, latest, form, plan=plan, dry=dry)
        return _start(request, member, form)
    return _page(request, member, latest, form, plan=plan)


def _in_progress(request: AppRequest, member: User, latest: OffBoarding) -> HttpResponse:
    if request.method == "POST" and "finish" in request.POST:
        offboarding.give_up(actor_of(request), latest)
        wake(off_board)
    elif request.method == "POST":
        messages.warning(request, offboarding.IN_PROGRESS)
    return _page(request, member, latest, None)


def _successor_is_right(form: OffBoardForm, member: User) -> bool:
    name = form.cleaned_data["successor"]
    if name and _successor(name, member) is None:
        form.add_error("successor", "There is no other active member of this name.")
    elif name and not form.cleaned_data["keep"]:
        form.add_error("successor", "Choose the keys to keep, or name nobody here.")
    return form.is_valid()


def _successor(name: str, member: User) -> User | None:
    named = User.objects.filter(username__in={name, unicodedata.normalize("NFKC", name)})
    found = named.filter(is_active=True).exclude(pk=member.pk)
    leaving = OffBoarding.objects.filter(state__in=OffBoarding.OPEN).values("member")
    return found.exclude(pk__in=leaving.filter(member__isnull=False)).first() if name else None


def _start(request: AppRequest, member: User, form: OffBoardForm) -> HttpResponse:
    there = reverse("keys:team_offboard", args=[address_of(member)])
    data = form.cleaned_data
    successor = _successor(data["successor"], member)
    try:
        offboarding.start(actor_of(request), member, data["reason"], data["keep"], successor)
    except CannotStart as error:
        messages.error(request, error.sentence)
    else:
        wake(off_board)
    return go_to(request, there)


def _page(
    request: AppRequest,
    member: User,
    latest: OffBoarding | None,
    form: Form,
    **more: Any,
) -> HttpResponse:
    context = {
        "member": member,
        "address": address_of(member),
        "latest": latest,
        "results": latest.keys.order_by("outcome", "label", "pk") if latest else [],
        "steps": OffBoarding.Step.choices,
        "form": form,
        "chosen": (form["keep"].value() or []) if form else [],
        "must_poll": latest is not None and latest.is_open,
        **more,
    }
    return render_page(request, "keys/team_offboard.html", context)


@require_safe
@admins_only
def team_offboard_report(_: AppRequest, username: str) -> HttpResponse:
    member = found_member(username)
    latest = off_board_plan.latest_of(member)
    if latest is None or latest.is_open:
        raise Http404("There is no report yet.")
    name = f"off-boarding-{latest.started_at:%Y%m%d}-{latest.number}.json"
    headers = {"Content-Disposition": content_disposition_header(True, name) or ""}
    return JsonResponse(
        off_board_plan.report_of(latest), json_dumps_params={"indent": 2}, headers=headers
    )
