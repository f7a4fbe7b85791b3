"""What changed between two prepared exports: a page, and a list to download."""

from __future__ import annotations

from django.contrib import messages
from django.http import Http404, HttpResponse, HttpResponseBase, StreamingHttpResponse
from django.urls import reverse
from django.utils.http import content_disposition_header, urlencode
from django.views.decorators.http import require_http_methods, require_safe

from estuary_admin.secrets.sealing import SealBroken
from estuary_admin.security.fresh_proof import fresh_proof
from estuary_admin.web.redirects import go_to
from keys.access import signed_in, upstream_errors_shown
from keys.actors import actor_of
from keys.exports import comparisons
from keys.exports.delivery import NoFile, StorageAway
from keys.exports.file_views import NO_CONTENT, streamed
from keys.exports.forms import ComparisonForm
from keys.http import AppRequest, render_page
from keys.models import ExportComparison, PreparedExport

Pair = tuple[PreparedExport, PreparedExport]


@require_http_methods(["GET", "HEAD", "POST"])
@signed_in
@upstream_errors_shown
def export_compare(request: AppRequest) -> HttpResponse:
    """POST has the worker compare; GET shows how far that is, and what differs."""
    if request.method == "POST":
        pair = _pair_of(request, ComparisonForm(request.POST))
        if pair is None:
            messages.warning(request, "Choose two different exports that are ready.")
            return go_to(request, "keys:exports")
        comparisons.compare(actor_of(request), *pair)
        return go_to(request, _page_of(pair))
    form = ComparisonForm(request.GET)
    pair = _pair_of(request, form)
    if pair is None:
        return _gone(request, form)
    row = comparisons.find(*pair)
    context = {"old": pair[0], "new": pair[1], "row": row, "here": _page_of(pair)}
    return render_page(request, "keys/export_compare.html", context)


def _gone(request: AppRequest, form: ComparisonForm) -> HttpResponse:
    """The page may be open, and ask again, when one of its exports is deleted or expires."""
    if not form.is_valid() or form.cleaned_data["old"] == form.cleaned_data["new"]:
        raise Http404("No such exports.")
    messages.warning(
        request, "One of these exports is not here any more: it was deleted, or its time is over."
    )
    return go_to(request, "keys:exports")


@require_safe
@signed_in
@fresh_proof()
def export_compare_list(request: AppRequest) -> HttpResponseBase:
    pair = _pair_of(request, ComparisonForm(request.GET))
    row = comparisons.find(*pair) if pair else None
    if pair is None or row is None or row.state != ExportComparison.State.DONE:
        raise Http404("No such comparison.")
    try:
        return _list_answer(request, row)
    except StorageAway:
        messages.error(request, "The storage for exports does not answer. Try again later.")
    except (NoFile, SealBroken):
        messages.error(request, "The list of this comparison cannot be read here.")
    return go_to(request, _page_of(pair))


def _list_answer(request: AppRequest, row: ExportComparison) -> HttpResponseBase:
    """The download; HEAD says what it would be. Raises NoFile, StorageAway or SealBroken."""
    if request.method == "HEAD":
        comparisons.list_file(row).close()
        response = StreamingHttpResponse(())  # Django would give another one a length of 0
    else:
        response = streamed(request, comparisons.deliver_list(actor_of(request), row))
    name = f"estuary-export-changes-{row.number.hex[:6]}.csv"
    response["Content-Type"] = "text/csv; charset=utf-8"
    response["Content-Disposition"] = content_disposition_header(True, name) or ""
    response["Content-Security-Policy"] = NO_CONTENT
    return response


def _pair_of(request: AppRequest, form: ComparisonForm) -> Pair | None:
    if not form.is_valid():
        return None
    return comparisons.find_pair(request.user, form.cleaned_data["old"], form.cleaned_data["new"])


def _page_of(pair: Pair) -> str:
    query = urlencode({"old": str(pair[0].number), "new": str(pair[1].number)})
    return f"{reverse('keys:export_compare')}?{query}"
