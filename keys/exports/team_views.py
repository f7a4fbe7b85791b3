"""The pages of team exports, for admins."""

from __future__ import annotations

from uuid import UUID

from django.contrib import messages
from django.http import Http404, HttpResponse, HttpResponseBase
from django.urls import reverse
from django.utils.http import content_disposition_header
from django.views.decorators.http import require_POST, require_safe

from estuary_admin.members import admins_only
from estuary_admin.secrets.sealing import SealBroken
from estuary_admin.security.fresh_proof import fresh_proof
from estuary_admin.web.redirects import go_to
from keys.access import upstream_errors_shown
from keys.actors import actor_of
from keys.exports import team_exports
from keys.exports.delivery import NoFile, StorageAway
from keys.exports.file_views import (
    answer_to_condition,
    is_not_a_continuation,
    is_of_version,
    range_headers,
    remember_proof,
    storage_away,
    streamed,
    told,
    with_range_headers,
)
from keys.exports.ranges import ByteRange, NotSatisfiable, wanted_range
from keys.exports.team_archive import Archive
from keys.http import AppRequest, render_page
from keys.models import TeamExport, TeamExportPart

PartState = TeamExportPart.State


class OtherArchive(Exception):
    """The address is that of an archive with other members or other data."""


@require_POST
@admins_only
@fresh_proof(back="keys:exports")
@upstream_errors_shown
def team_export_start(request: AppRequest) -> HttpResponse:
    try:
        row = team_exports.start(actor_of(request))
    except team_exports.NobodyConnected:
        messages.warning(request, "No member is connected: there is nothing to export.")
        return go_to(request, "keys:exports")
    return _to_page(request, row)


@require_safe
@admins_only
def team_export(request: AppRequest, number: UUID) -> HttpResponse:
    """The state of one; htmx asks for its part again until the state is final."""
    row = _found(number)
    parts = list(row.parts.select_related("export").order_by("pk"))
    counts = {state: sum(part.state == state for part in parts) for state in PartState.values}
    context = {
        "row": row,
        "version": team_exports.version_of(row),
        "parts": parts,
        "counts": counts,
        "in_archive": sum(part.has_file for part in parts),
        "done": counts[PartState.READY] + counts[PartState.FAILED],
        "size": sum(part.export.size for part in parts if part.export),
    }
    return render_page(request, "keys/team_export.html", context)


@require_safe
@admins_only
@fresh_proof(when=is_not_a_continuation)
def team_export_file(request: AppRequest, number: UUID) -> HttpResponseBase:
    row = _found(number)
    try:
        return _delivered(request, row, team_exports.archive_of(row))
    except StorageAway:
        return storage_away(request, _page_of(row))
    except (NoFile, SealBroken):
        sentence = "There is no archive that can be read here."
        return told(request, sentence, _page_of(row), status=404)


@require_safe
@admins_only
def team_export_manifest(_: AppRequest, number: UUID) -> HttpResponse:
    try:
        archive = team_exports.archive_of(_found(number))
    except NoFile:
        raise Http404("There is no manifest of a team export that is not ready.") from None
    name = archive.file_name.replace(".zip", "-manifest.json")
    headers = {"Content-Disposition": content_disposition_header(True, name) or ""}
    return HttpResponse(archive.manifest, content_type="application/json", headers=headers)


@require_POST
@admins_only
def team_export_cancel(request: AppRequest, number: UUID) -> HttpResponse:
    row = _found(number)
    is_done = team_exports.cancel(actor_of(request), row)
    return _to_page(request, row, "" if is_done else "This team export has ended already.")


@require_POST
@admins_only
@fresh_proof(back="keys:exports")
@upstream_errors_shown
def team_export_retry(request: AppRequest, number: UUID) -> HttpResponse:
    row = _found(number)
    is_done = team_exports.try_again(actor_of(request), row)
    otherwise = "Nothing was started: nobody failed, or another one is running."
    return _to_page(request, row, "" if is_done else otherwise)


@require_POST
@admins_only
def team_export_delete(request: AppRequest, number: UUID) -> HttpResponse:
    row = _found(number)
    try:
        team_exports.delete(actor_of(request), row)
    except team_exports.StillRunning:
        return _to_page(request, row, "This team export is still running. Cancel it first.")
    messages.success(request, "Team export deleted.")
    return go_to(request, "keys:exports")


def _delivered(request: AppRequest, row: TeamExport, archive: Archive) -> HttpResponseBase:
    """The archive or the wanted part of it; raises NoFile, StorageAway or SealBroken."""
    if answer := answer_to_condition(request, archive.etag):
        return answer
    try:
        wanted = _wanted_part(request, archive)
    except OtherArchive:
        sentence = "The archive has changed since this download began. Download it anew."
        return told(request, sentence, _page_of(row), status=412)
    except NotSatisfiable:
        return HttpResponse(status=416, headers={"Content-Range": f"bytes */{archive.size}"})
    response: HttpResponseBase = HttpResponse()
    if request.method == "HEAD":
        archive.confirm_files()
    else:
        actor = actor_of(request)
        delivery = team_exports.deliver(actor, row, archive, wanted.start, wanted.end)
        remember_proof(request, row.number)
        response = streamed(request, delivery)
    response["Content-Type"] = "application/zip"
    response["Content-Disposition"] = content_disposition_header(True, archive.file_name) or ""
    return with_range_headers(response, wanted, archive.size, archive.etag)


def _wanted_part(request: AppRequest, archive: Archive) -> ByteRange:
    """The range, if it is certain that it is one of this archive, else the whole.

    A second try and the deletion of a member change the archive, and programs as curl resume by
    the address alone. Raises OtherArchive or NotSatisfiable.
    """
    header, if_range = range_headers(request)
    version = request.GET.get("v", "")
    is_certain = version == archive.version or is_of_version(request, archive.etag)
    if header and not (is_certain or if_range):
        if version:
            raise OtherArchive
        header = ""
    return wanted_range(header, if_range, archive.size, archive.etag)


def _found(number: UUID) -> TeamExport:
    row = team_exports.find(number)
    if row is None:
        raise Http404
    return row


def _to_page(request: AppRequest, row: TeamExport, sentence: str = "") -> HttpResponse:
    if sentence:
        messages.warning(request, sentence)
    return go_to(request, _page_of(row))


def _page_of(row: TeamExport) -> str:
    return reverse("keys:team_export", args=[row.number])
