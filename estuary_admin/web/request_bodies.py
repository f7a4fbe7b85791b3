"""Refuse bodies that no form of this console has: files, and text that is not UTF-8."""

from __future__ import annotations

import codecs
from collections.abc import Callable
from typing import Any, NoReturn

from django.core.exceptions import BadRequest
from django.core.files.uploadhandler import FileUploadHandler
from django.http import HttpRequest, HttpResponseBase

from estuary_admin.web.errors import error_page


class Utf8OnlyMiddleware:
    """Refuse other charsets: Django would decode forms and queries by them, and some raise."""

    def __init__(self, get_response: Callable[[HttpRequest], HttpResponseBase]) -> None:
        self.get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponseBase:
        charset = request.encoding
        if charset and codecs.lookup(charset).name not in {"utf-8", "ascii"}:
            return error_page(request, 400)
        return self.get_response(request)


class RefuseUploads(FileUploadHandler):
    """Django's own handlers write files to disk."""

    def new_file(self, *_: Any, **__: Any) -> NoReturn:
        """Stop the parser before it reads the first byte of the file."""
        raise BadRequest("a file was uploaded")

    def receive_data_chunk(self, raw_data: bytes, start: int) -> NoReturn:  # noqa: ARG002
        raise BadRequest("a file was uploaded")

    def file_complete(self, file_size: int) -> None:
        """Never called, because no file begins."""
