"""The file of a prepared export: the whole, a part, or another form of it; and its manifest."""

from __future__ import annotations

import contextlib
from uuid import UUID

from django.conf import settings
from django.contrib import messages
from django.http import (
    Http404,
    HttpRequest,
    HttpResponse,
    HttpResponseBase,
    HttpResponseNotModified,
    StreamingHttpResponse,
)
from django.urls import reverse
from django.utils.http import content_disposition_header, parse_etags
from django.views.decorators.http import require_safe

from estuary_admin.secrets.sealing import SealBroken
from estuary_admin.security.fresh_proof import fresh_proof
from estuary_admin.web.redirects import go_to
from keys.access import signed_in
from keys.actors import actor_of
from keys.exports.delivery import (
    Delivery,
    NoFile,
    StorageAway,
    deliver,
    file_name,
    manifest,
    open_document,
)
from keys.exports.forms_of_export import FORMS
from keys.exports.prepared_views import own_export
from keys.exports.ranges import ByteRange, NotSatisfiable, is_one_range, wanted_range
from keys.http import AppRequest
from keys.models import PreparedExport

State = PreparedExport.State
PROVED_EXPORTS = "proved_exports"  # session key
RETRY_SECONDS = 30
NO_CONTENT = "sandbox; default-src 'none'"  # a file must not act as a page of ours


def is_not_a_continuation(request: HttpRequest) -> bool:
    """A download that began with a fresh proof may go on in the same session without another."""
    number = str(request.resolver_match.kwargs["number"]) if request.resolver_match else ""
    is_range = is_one_range(request.headers.get("Range", ""))
    goes_on = is_range and request.GET.get("form", "json") == "json"
    return not goes_on or number not in request.session.get(PROVED_EXPORTS, [])


@require_safe
@signed_in
@fresh_proof(when=is_not_a_continuation)
def export_file(request: AppRequest, number: UUID) -> HttpResponseBase:
    row, form = own_export(request, number), request.GET.get("form", "json")
    if form not in FORMS:
        raise Http404("No such form of an export.")
    if not row.has_file:
        return _no_file(request, row)
    etag = f'"{row.sha256}"'
    if not FORMS[form].make and (answer := answer_to_condition(request, etag)):
        return answer
    try:
        wanted = _range_of(request, row, form, etag)
    except NotSatisfiable:
        return HttpResponse(status=416, headers={"Content-Range": f"bytes */{row.size}"})
    try:
        response = _begun(request, row, form, wanted)
    except (NoFile, SealBroken):
        return _no_file(request, row)
    except StorageAway:
        return storage_away(request, reverse("keys:export", args=[row.number]))
    return _with_headers(response, row, form, wanted, etag)


@require_safe
@signed_in
def export_manifest(request: AppRequest, number: UUID) -> HttpResponse:
    row = own_export(request, number)
    if row.state not in {State.READY, State.EXPIRED}:
        raise Http404("There is no manifest of an export that is not ready.")
    name = file_name(row).replace(".json", "-manifest.json")
    headers = {"Content-Disposition": content_disposition_header(True, name) or ""}
    return HttpResponse(manifest(row), content_type="application/json", headers=headers)


def _begun(
    request: AppRequest, row: PreparedExport, form: str, wanted: ByteRange
) -> HttpResponseBase:
    """The download; HEAD says what it would be. Raises NoFile, StorageAway or SealBroken."""
    if request.method == "HEAD":
        open_document(row, form).close()
        # Another form has no length before it is made, and Django would say 0.
        return StreamingHttpResponse(()) if FORMS[form].make else HttpResponse()
    delivery = deliver(actor_of(request), row, form, wanted.start, wanted.end)
    remember_proof(request, row.number)
    return streamed(request, delivery)


def _range_of(request: AppRequest, row: PreparedExport, form: str, etag: str) -> ByteRange:
    """Only the stored document can be resumed: other forms have no length before they are made."""
    if FORMS[form].make:
        return ByteRange(0, row.size, is_part=False)
    return wanted_range(*range_headers(request), row.size, etag)


def answer_to_condition(request: HttpRequest, etag: str) -> HttpResponse | None:
    """304 or 412, by the ETag alone: a file without a date ignores conditions about dates.

    Django's own answers to those, and its 304 has no ETag (RFC 9110, 13.1.4 and 15.4.5).
    """
    wanted = parse_etags(request.headers.get("If-Match", ""))
    if wanted and wanted != ["*"] and etag not in wanted:
        return HttpResponse(status=412)
    known = parse_etags(request.headers.get("If-None-Match", ""))
    if known == ["*"] or etag in {one.removeprefix("W/") for one in known}:
        return HttpResponseNotModified(headers={"ETag": etag})
    return None


def is_of_version(request: HttpRequest, etag: str) -> bool:
    """Whether the request names this version, as Firefox does when it resumes."""
    return etag in parse_etags(request.headers.get("If-Match", ""))


def range_headers(request: HttpRequest) -> tuple[str, str]:
    """`Range` and `If-Range`, which have a meaning for GET alone (RFC 9110, 14.2)."""
    if request.method != "GET":
        return "", ""
    return request.headers.get("Range", ""), request.headers.get("If-Range", "")


def _with_headers(
    response: HttpResponseBase, row: PreparedExport, form: str, wanted: ByteRange, etag: str
) -> HttpResponseBase:
    response["Content-Type"] = FORMS[form].content_type
    response["Content-Disposition"] = content_disposition_header(True, file_name(row, form)) or ""
    if FORMS[form].make:
        response["Content-Security-Policy"] = NO_CONTENT
        response["Accept-Ranges"] = "none"
        return response
    return with_range_headers(response, wanted, row.size, etag)


def with_range_headers(
    response: HttpResponseBase, wanted: ByteRange, size: int, etag: str
) -> HttpResponseBase:
    response["Content-Security-Policy"] = NO_CONTENT
    response["Accept-Ranges"] = "bytes"
    response["ETag"] = etag
    response["Content-Length"] = str(wanted.length)
    if wanted.is_part:
        response.status_code = 206
        response["Content-Range"] = f"bytes {wanted.start}-{wanted.end - 1}/{size}"
    return response


def streamed(request: AppRequest, delivery: Delivery) -> StreamingHttpResponse:
    connection = request.META.get("gunicorn.socket")
    if connection is not None:  # a reader that takes nothing must not block its thread without end
        with contextlib.suppress(OSError):
            connection.settimeout(settings.EXPORT_IDLE)
    return StreamingHttpResponse(delivery)


def remember_proof(request: AppRequest, number: UUID) -> None:
    proved = request.session.get(PROVED_EXPORTS, [])
    if str(number) not in proved:
        request.session[PROVED_EXPORTS] = [*proved[-9:], str(number)]


def storage_away(request: AppRequest, page: str) -> HttpResponseBase:
    sentence = "The storage for exports does not answer. Try again later."
    headers = {"Retry-After": str(RETRY_SECONDS)}
    return told(request, sentence, page, status=503, headers=headers)


def told(
    request: AppRequest,
    sentence: str,
    page: str,
    status: int,
    headers: dict[str, str] | None = None,
) -> HttpResponseBase:
    """Why there is no file: on a page, or to a program that resumes and would take it for data."""
    if "Range" in request.headers:
        return HttpResponse(f"{sentence}\n", "text/plain", status=status, headers=headers)
    messages.error(request, sentence)
    return go_to(request, page)


def _no_file(request: AppRequest, row: PreparedExport) -> HttpResponseBase:
    sentence = "This export has no file."
    if row.has_file:
        sentence = "The file of this export cannot be read here. Prepare it again."
    return told(request, sentence, reverse("keys:export", args=[row.number]), status=404)
