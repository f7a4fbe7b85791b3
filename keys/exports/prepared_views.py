"""The pages of prepared exports."""

from __future__ import annotations

import logging
from uuid import UUID

from django.contrib import messages
from django.http import Http404, HttpResponse
from django.urls import reverse
from django.views.decorators.http import require_POST, require_safe

from estuary_admin.web.redirects import go_to
from keys.access import signed_in, upstream_errors_shown
from keys.actors import actor_of
from keys.exports import prepared
from keys.exports.forms import ScheduleForm
from keys.exports.queueing import AlreadyPreparing
from keys.exports.room import NoRoom
from keys.exports.rows import row_of
from keys.exports.schedules import set_schedule
from keys.http import AppRequest, render_page
from keys.models import PreparedExport
from keys.token.stored_tokens import of_member

logger = logging.getLogger("estuary_admin.keys")


@require_POST
@signed_in
@upstream_errors_shown
def export_prepare(request: AppRequest) -> HttpResponse:
    stored = of_member(request.user)
    try:
        row = prepared.prepare(actor_of(request), stored)
    except AlreadyPreparing as error:
        if error.row is None:
            messages.warning(request, "Somebody else is preparing an export of this account now.")
            return go_to(request, "keys:exports")
        messages.info(request, "This export is being prepared already.")
        row = error.row
    except NoRoom as error:
        messages.error(request, error.sentence)
        return go_to(request, "keys:exports")
    return go_to(request, _page_of(row))


@require_POST
@signed_in
def export_schedule(request: AppRequest) -> HttpResponse:
    form = ScheduleForm(request.POST)
    if not form.is_valid():
        messages.warning(request, "Choose how often the export is to be prepared.")
        return go_to(request, "keys:exports")
    set_schedule(actor_of(request), form.cleaned_data["every"])
    messages.success(request, "Schedule saved.")
    return go_to(request, "keys:exports")


@require_safe
@signed_in
def export(request: AppRequest, number: UUID) -> HttpResponse:
    """The state of one export; htmx asks for its part again until the state is final."""
    return render_page(request, "keys/export.html", {"row": row_of(own_export(request, number))})


@require_POST
@signed_in
def export_cancel(request: AppRequest, number: UUID) -> HttpResponse:
    row = own_export(request, number)
    if not prepared.cancel(actor_of(request), row):
        messages.info(request, "This export has ended already.")
    return go_to(request, _page_of(row))


@require_POST
@signed_in
def export_delete(request: AppRequest, number: UUID) -> HttpResponse:
    row = own_export(request, number)
    try:
        prepared.delete(actor_of(request), row)
    except prepared.StillRunning:
        messages.warning(request, "This export is still running. Cancel it first.")
        return go_to(request, _page_of(row))
    except OSError as error:
        logger.warning("export_file_not_deleted", extra={"reason": error.strerror})
        messages.error(request, "The storage for exports failed: nothing was deleted. Try again.")
        return go_to(request, _page_of(row))
    messages.success(request, "Export deleted.")
    return go_to(request, "keys:exports")


def own_export(request: AppRequest, number: UUID) -> PreparedExport:
    """An export of the signed-in member; 404 for everybody else."""
    row = prepared.find(request.user, number)
    if row is None:
        raise Http404
    return row


def _page_of(row: PreparedExport) -> str:
    return reverse("keys:export", args=[row.number])
