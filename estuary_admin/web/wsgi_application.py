"""The outermost layer: the path below which the console is served, and a page for every failure."""

from __future__ import annotations

import logging
import sys
from collections.abc import Iterable
from wsgiref.types import StartResponse, WSGIApplication, WSGIEnvironment

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
        try:
            return self.application(environ, start_response)
        except Exception as error:
            status, template = failure_page(error)
            line, headers, body = static_pages.static_response(status, template)
            extra = {"request_id": dict(headers)["X-Request-Id"], "status": status}
            logger.exception("request_failed", extra=extra)
            start_response(line, headers, sys.exc_info())
            return [body]


def without_base_path(path: str, base_path: str) -> str:
    """The path inside the console. A proxy may keep the path of PUBLIC_URL or remove it."""
    if base_path and (path == base_path or path.startswith(f"{base_path}/")):
        return path.removeprefix(base_path)
    return path
