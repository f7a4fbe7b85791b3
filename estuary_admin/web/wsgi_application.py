"""The outermost layer: the path below which the console is served, and a page for every failure."""

from __future__ import annotations

import codecs
import logging
import sys
from collections.abc import Iterable
from wsgiref.types import StartResponse, WSGIApplication, WSGIEnvironment

from django.core.exceptions import SuspiciousOperation
from django.utils.http import parse_header_parameters

from estuary_admin.web import static_pages
from estuary_admin.web.errors import failure_page

logger = logging.getLogger("estuary_admin.request")


class ConsoleApplication:
    """Wraps Django's application."""

    def __init__(self, application: WSGIApplication, base_path: str) -> None:
        self.application = application
        self.base_path = base_path
        static_pages.load()

    def __call__(self, environ: WSGIEnvironment, start_response: StartResponse) -> Iterable[bytes]:
        environ["PATH_INFO"] = without_base_path(environ.get("PATH_INFO", ""), self.base_path)
        # Django would raise while it builds the request, before any middleware.
        if not is_readable_type(str(environ.get("CONTENT_TYPE", ""))):
            return _refuse(start_response, "content type")
        try:
            return self.application(environ, start_response)
        except SuspiciousOperation as error:  # such as a query with thousands of fields
            return _refuse(start_response, type(error).__name__)
        except Exception as error:
            status, template = failure_page(error)
            line, headers, body = static_pages.static_response(status, template)
            extra = {"request_id": dict(headers)["X-Request-Id"], "status": status}
            logger.exception("request_failed", extra=extra)
            start_response(line, headers, sys.exc_info())
            return [body]


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


def _refuse(start_response: StartResponse, reason: str) -> Iterable[bytes]:
    """Answer 400 and log one line; a traceback would let strangers fill the log."""
    line, headers, body = static_pages.static_response(400)
    extra = {"request_id": dict(headers)["X-Request-Id"], "status": 400, "reason": reason}
    logger.warning("request_not_served", extra=extra)
    start_response(line, headers)
    return [body]


def without_base_path(path: str, base_path: str) -> str:
    """The path inside the console. A proxy may keep the path of PUBLIC_URL or remove it."""
    if base_path and (path == base_path or path.startswith(f"{base_path}/")):
        return path.removeprefix(base_path)
    return path
