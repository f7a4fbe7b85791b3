"""The page about exports, the download itself, and stopping one."""

from __future__ import annotations

import contextlib
import re
import socket
from collections.abc import Callable

from django.conf import settings
from django.contrib import messages
from django.contrib.auth.models import User
from django.http import HttpRequest, HttpResponse, HttpResponseBase, StreamingHttpResponse
from django.shortcuts import get_object_or_404, render
from django.utils.http import content_disposition_header
from django.views.decorators.http import require_POST, require_safe

from estuary_admin.members import deny_unless_admin, is_admin
from estuary_admin.security.fresh_proof import fresh_proof
from estuary_admin.web.redirects import go_to
from keys.access import signed_in, upstream_errors_shown
from keys.actors import actor_of
from keys.audit import rows as audit_rows
from keys.exports import leases, prepared, team_exports
from keys.exports.download import (
    Download,
    ExportInterrupted,
    is_running,
    open_download,
    request_stop,
)
from keys.exports.forms import ExportForm, ExportStopForm, ScheduleForm
from keys.exports.leases import LeaseTaken
from keys.exports.schedules import schedule_of
from keys.http import AppRequest
from keys.models import StoredToken
from keys.token.stored_tokens import connected_members, of_member

TAKEN = "An export of this account is running. One runs at a time: try again when it has ended."


@require_safe
@signed_in
def exports(request: AppRequest) -> HttpResponse:
    return _exports_page(request)


def wanted_member(request: HttpRequest) -> int | None:
    """The id of the member whose data is wanted; None for the member's own data."""
    form = ExportForm(request.POST)
    wanted = form.cleaned_data["member"] if form.is_valid() else 0  # no member has this id
    return None if wanted == request.user.pk else wanted


def is_for_somebody_else(request: HttpRequest) -> bool:
    return wanted_member(request) is not None and is_admin(request.user)


@require_POST
@signed_in
@fresh_proof(back="keys:exports", when=is_for_somebody_else)
@upstream_errors_shown
def export_download(request: AppRequest) -> HttpResponseBase:
    wanted = wanted_member(request)
    if wanted is None:
        stored = of_member(request.user)
    else:
        deny_unless_admin(request, wanted="export")
        stored = get_object_or_404(StoredToken.objects.select_related("member"), member=wanted)
    try:
        download = open_download(actor_of(request), stored, _cut_of(request))
    except LeaseTaken:
        if wanted is None:
            return _exports_page(request, status=409, busy=True)
        return _exports_page(request, status=409, refusal=TAKEN, refused_for=stored.member)
    except ExportInterrupted as interruption:
        refused_for = None if wanted is None else stored.member
        refusal = interruption.sentence
        return _exports_page(request, status=503, refusal=refusal, refused_for=refused_for)
    return _streamed(download, request.POST.get("mark", ""))


@require_POST
@signed_in
def export_stop(request: AppRequest) -> HttpResponse:
    form = ExportStopForm(request.POST)
    number = form.cleaned_data["export"] if form.is_valid() else 0
    lease = leases.stoppable_by(request.user).filter(pk=number).first()
    if lease is None:
        messages.info(request, "This export has ended already.")
    else:
        request_stop(actor_of(request), lease)
        messages.success(request, "The export stops within a few seconds.")
    return go_to(request, "keys:exports")


def _cut_of(request: HttpRequest) -> Callable[[], None]:
    """A function that breaks the connection: a browser that does not read blocks the server."""
    connection = request.META.get("gunicorn.socket")

    def cut() -> None:
        with contextlib.suppress(OSError):
            if connection is not None:
                connection.shutdown(socket.SHUT_RDWR)

    return cut


def _streamed(download: Download, mark: str) -> StreamingHttpResponse:
    response = StreamingHttpResponse(
        download,
        content_type="application/json",
        headers={
            "Content-Disposition": content_disposition_header(True, download.filename) or "",
            "Content-Security-Policy": "sandbox; default-src 'none'",
        },
    )
    # Only this tells the page that asked, by its own mark, that the waiting is over.
    if re.fullmatch(r"[0-9a-z]{1,20}", mark):
        response.set_cookie(
            "download",
            mark,
            max_age=60,
            path=settings.SESSION_COOKIE_PATH,
            secure=settings.SESSION_COOKIE_SECURE,
            samesite="Lax",
        )
    return response


def _exports_page(
    request: AppRequest,
    status: int = 200,
    *,
    busy: bool = False,
    refusal: str = "",
    refused_for: User | None = None,
) -> HttpResponse:
    """The page; `busy` is about the member's own account, a refusal may be about another's."""
    stored = StoredToken.objects.filter(member=request.user).first()
    rows, schedule = list(prepared.shown_to(request.user)), schedule_of(request.user)
    context = {
        "stored_token": stored,
        "busy": busy or (stored is not None and is_running(stored)),
        "running": leases.stoppable_by(request.user),
        "refusal": refusal,
        "refused_for": refused_for,
        "wait_seconds": round(settings.ESTUARY_EXPORT_TIMEOUT) + 30,
        "members": connected_members(but=request.user) if is_admin(request.user) else [],
        "prepared_exports": rows,
        "schedule_form": ScheduleForm(initial={"every": schedule.every if schedule else ""}),
        "schedule": schedule,
        "comparable": [row for row in rows if row.has_file],
        "is_admin": is_admin(request.user),
        "team_exports": team_exports.shown(),  # read when shown
        "last_exports": audit_rows.of_exports(request.user),
    }
    return render(request, "keys/exports.html", context, status=status)
