"""The audit page and its download."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

from django.contrib import messages
from django.contrib.auth.models import User
from django.http import (
    Http404,
    HttpResponse,
    HttpResponseBadRequest,
    HttpResponseBase,
    StreamingHttpResponse,
)
from django.urls import reverse
from django.utils import timezone
from django.utils.http import content_disposition_header
from django.views.decorators.http import require_safe

from estuary_admin.members import is_admin
from estuary_admin.web.redirects import go_to
from keys.access import signed_in
from keys.actors import actor_of
from keys.audit import chain
from keys.audit.download import FORMS
from keys.audit.query import AuditQuery
from keys.audit.record import record_action
from keys.audit.rows import AuditRow, as_rows
from keys.audit.vocabulary import Action, Outcome
from keys.http import AppRequest, render_page
from keys.notes.services import facts_of, readable_notes
from keys.upstream import fingerprint_of, hash_of

ROWS_PER_PAGE = 50


@require_safe
@signed_in
def audit(request: AppRequest) -> HttpResponse:
    query, sees_all = AuditQuery.from_params(request.GET.dict()), is_admin(request.user)
    if token := query.pasted_token:
        return _to_fingerprint(request, token)
    entries = query.page_for(request.user, sees_all=sees_all, size=ROWS_PER_PAGE)
    shown = entries[:ROWS_PER_PAGE]
    here = reverse("keys:audit")
    context: dict[str, Any] = {
        "audit_query": query,
        "rows": _with_notes(as_rows(shown), request.user, sees_all=sees_all),
        "sees_all": sees_all,
        "actions": sorted(Action, key=lambda action: action.words),
        "outcomes": Outcome.choices,
        "first_url": query.address(here) if query.after is not None else "",
        "next_url": query.address(here, after=shown[-1].pk) if len(entries) > len(shown) else "",
        "downloads": [
            (form, query.address(reverse("keys:audit_download")) + ("&" if query.filters else "?"))
            for form in FORMS
        ],
        "head": chain.current_head() if sees_all else "",
        "clear_url": here if query.filters else "",
    }
    return render_page(request, "keys/audit.html", context)


def _with_notes(rows: list[AuditRow], member: User, *, sees_all: bool) -> list[AuditRow]:
    """Add what was noted about the keys: it stays readable here when a key has ended."""
    notes = readable_notes(member, {row.token_hash for row in rows}, sees_all=sees_all)
    return [
        replace(row, facts=row.facts + facts_of(notes[row.token_hash]))
        if row.token_hash in notes
        else row
        for row in rows
    ]


def _to_fingerprint(request: AppRequest, token: str) -> HttpResponse:
    """A whole token was pasted into a filter: show the rows of its key instead."""
    messages.warning(
        request,
        "You searched for a whole token. It is now in your browser's history, so clear that. "
        "Here is what the audit has under its fingerprint.",
        extra_tags="sticky",
    )
    return go_to(request, f"{reverse('keys:audit')}?key={fingerprint_of(hash_of(token))}")


def _mistakes_of(query: AuditQuery) -> str:
    return "".join(f"{name}: {sentence}\n" for name, sentence in query.mistakes.items())


@require_safe
@signed_in
def audit_download(request: AppRequest) -> HttpResponseBase:
    form = request.GET.get("form", "")
    if form not in FORMS:
        raise Http404("No such form of the audit.")
    query = AuditQuery.from_params(request.GET.dict())
    if token := query.pasted_token:
        return _to_fingerprint(request, token)
    if query.mistakes:  # an empty file would say that nothing happened
        return HttpResponseBadRequest(_mistakes_of(query), content_type="text/plain; charset=utf-8")
    rows = query.rows_for(request.user, sees_all=is_admin(request.user))
    if request.method == "HEAD":
        rows = rows.none()
    else:
        # Before the first line: the download itself is not in the file.
        newest = rows.values_list("pk", flat=True).first() or 0
        rows = rows.filter(pk__lte=newest)
        record_action(actor_of(request), Action.AUDIT_DOWNLOADED, detail={"form": form})
    content_type, lines = FORMS[form]
    name = f"estuary-admin-audit-{timezone.now():%Y%m%d-%H%M%S}.{form}"
    headers = {"Content-Disposition": content_disposition_header(True, name) or ""}
    return StreamingHttpResponse(lines(rows), content_type=content_type, headers=headers)
