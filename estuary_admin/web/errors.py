"""Error pages: Django's handlers, and pages for responses that come without one."""

from __future__ import annotations

import errno
import sys
from collections.abc import Iterator

from django.contrib.auth.decorators import login_not_required
from django.db import DatabaseError
from django.http import HttpRequest, HttpResponse
from django.shortcuts import render

STORAGE_REFUSED_TEXTS = (
    "database or disk is full",
    "no space left on device",
    "disk quota exceeded",
    "attempt to write a readonly database",
)
#: PostgreSQL's disk_full, and read_only_sql_transaction: a standby, as after a failover.
STORAGE_REFUSED_SQLSTATES = {"53100", "25006"}
STORAGE_REFUSED_ERRNOS = {errno.ENOSPC, errno.EDQUOT, errno.EROFS}
NO_THREAD_TEXT = "can't start new thread"


WITH_NAVIGATION = {403, 404, 405}  # others may have no session, no database, or no readable request


def error_page(request: HttpRequest, status: int, template: str = "") -> HttpResponse:
    has_navigation = status in WITH_NAVIGATION and is_signed_in(request)
    context = {"layout": "base.html" if has_navigation else "base_plain.html"}
    return render(request, template or f"{status}.html", context, status=status)


def is_signed_in(request: HttpRequest) -> bool:
    try:
        return hasattr(request, "user") and request.user.is_authenticated
    except DatabaseError:
        return False


# Without the `requires_csrf_token` of Django's own handlers: it reads the form, and fails again if
# the form is what cannot be read.


def bad_request(request: HttpRequest, exception: Exception) -> HttpResponse:  # noqa: ARG001
    return error_page(request, 400)


def permission_denied(request: HttpRequest, exception: Exception) -> HttpResponse:  # noqa: ARG001
    return error_page(request, 403)


def page_not_found(request: HttpRequest, exception: Exception) -> HttpResponse:  # noqa: ARG001
    return error_page(request, 404)


def server_error(request: HttpRequest) -> HttpResponse:
    """Called by Django while it handles the exception."""
    status, template = failure_page(sys.exception())
    return error_page(request, status, template)


def failure_page(error: BaseException | None) -> tuple[int, str]:
    """Status and template for an exception that nothing else handles."""
    causes = list(_causes(error))
    if any(map(is_storage_refusal, causes)):
        return 503, "503_storage.html"
    if any(map(is_out_of_threads, causes)):
        return 503, "503_busy.html"
    return 500, "500.html"


@login_not_required
def csrf_failure(request: HttpRequest, reason: str = "") -> HttpResponse:  # noqa: ARG001
    return error_page(request, 403, "403_csrf.html")


def is_storage_refusal(error: BaseException) -> bool:
    """Whether the database or a file takes no writes: it is full, or can only be read."""
    if isinstance(error, OSError) and error.errno in STORAGE_REFUSED_ERRNOS:
        return True
    if getattr(error, "sqlstate", "") in STORAGE_REFUSED_SQLSTATES:
        return True
    text = str(error).lower()
    return isinstance(error, DatabaseError) and any(one in text for one in STORAGE_REFUSED_TEXTS)


def is_out_of_threads(error: BaseException) -> bool:
    return isinstance(error, RuntimeError) and NO_THREAD_TEXT in str(error)


def _causes(error: BaseException | None) -> Iterator[BaseException]:
    while error is not None:
        yield error
        error = error.__cause__ or error.__context__
