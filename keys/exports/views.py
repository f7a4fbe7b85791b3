"""The page about exports, and the download itself."""

from __future__ import annotations

import re

from django.conf import settings
from django.http import HttpRequest, HttpResponse, HttpResponseBase, StreamingHttpResponse
from django.shortcuts import get_object_or_404, render
from django.utils.http import content_disposition_header
from django.views.decorators.http import require_POST, require_safe

from estuary_admin.members import deny_unless_admin, is_admin
from estuary_admin.security.fresh_proof import fresh_proof
from keys.access import signed_in, upstream_errors_shown
from keys.actors import actor_of
from keys.audit import rows as audit_rows
from keys.exports.download import is_running, open_download
from keys.exports.forms import ExportForm
from keys.exports.leases import LeaseTaken
from keys.http import AppRequest
from keys.models import StoredToken
from keys.token.stored_tokens import connected_members, of_member


@require_safe
@signed_in
def exports(request: AppRequest) -> HttpResponse:
    return _exports_page(request)


def wanted_member(request: HttpRequest) -> int | None:
    """Whose data; None is the member's own."""
    form = ExportForm(request.POST)
    wanted = form.cleaned_data["member"] if form.is_valid() else 0  # which nobody is
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
        download = open_download(actor_of(request), stored)
    except LeaseTaken:
        return _exports_page(request, status=409, busy=True)
    response = StreamingHttpResponse(
        download,
        content_type="application/json",
        headers={
            "Content-Disposition": content_disposition_header(True, download.filename) or "",
            "Content-Security-Policy": "sandbox; default-src 'none'",
        },
    )
    _tell_begun(response, request.POST.get("mark", ""))
    return response


def _tell_begun(response: HttpResponseBase, mark: str) -> None:
    """Nothing else tells the page that asked, by its own mark, that the waiting is over."""
    if re.fullmatch(r"[0-9a-z]{1,20}", mark):
        response.set_cookie(
            "download",
            mark,
            max_age=60,
            path=settings.SESSION_COOKIE_PATH,
            secure=settings.SESSION_COOKIE_SECURE,
            samesite="Lax",
        )


def _exports_page(request: AppRequest, status: int = 200, *, busy: bool = False) -> HttpResponse:
    stored = StoredToken.objects.filter(member=request.user).first()
    context = {
        "stored_token": stored,
        "busy": busy or (stored is not None and is_running(stored)),
        "members": connected_members(but=request.user) if is_admin(request.user) else [],
        "last_exports": audit_rows.of_exports(request.user),
    }
    return render(request, "keys/exports.html", context, status=status)
