"""Refuse what no page of this console sends: other hosts, other charsets, files."""

from __future__ import annotations

import codecs
import logging
from collections.abc import Callable
from typing import Any, NoReturn

from django.core.exceptions import BadRequest, DisallowedHost
from django.core.files.uploadhandler import FileUploadHandler
from django.http import HttpRequest, HttpResponseBase
from django.utils.http import parse_header_parameters

from estuary_admin.web.errors import error_page
from keys.upstream.redaction import redact

logger = logging.getLogger("estuary_admin.request")


class RequestCheckMiddleware:
    def __init__(self, get_response: Callable[[HttpRequest], HttpResponseBase]) -> None:
        self.get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponseBase:
        if not is_allowed_host(request):
            return error_page(request, 400)
        return self.get_response(request)


def is_allowed_host(request: HttpRequest) -> bool:
    """Log another host in one line, where Django would log a traceback."""
    try:
        request.get_host()
    except DisallowedHost:
        # A token typed as the host arrives in lower case.
        host = redact(str(request.META.get("HTTP_HOST", "")).upper()).lower()
        extra = {"request_id": getattr(request, "request_id", "-"), "reason": ascii(host)[:100]}
        logger.warning("host_refused", extra=extra)
        return False
    return True


def is_readable_type(content_type: str) -> bool:
    """Whether Django can decode form and query: it does by this charset, and some raise."""
    try:
        _, parameters = parse_header_parameters(content_type)
        charset = parameters.get("charset", "utf-8")
    except (LookupError, ValueError):  # too long, or an unknown charset of RFC 2231
        return False
    try:
        return codecs.lookup(charset).name in {"utf-8", "ascii"}
    except LookupError:  # Django ignores a name that Python does not know
        return True
    except ValueError:
        return False


class RefuseUploads(FileUploadHandler):
    """No form here has a file, and Django's own handlers write files to disk."""

    def new_file(self, *_: Any, **__: Any) -> NoReturn:
        """Stop the parser before it reads the first byte of the file."""
        raise BadRequest("a file was uploaded")

    def file_complete(self, file_size: int) -> None:
        """Never called, because no file begins."""
