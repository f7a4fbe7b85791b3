"""Django's error reports, in mails and on the debug page, with tokens redacted."""

from __future__ import annotations

from collections.abc import ItemsView
from types import FrameType
from typing import Any

from django.http import HttpRequest
from django.utils.safestring import SafeString
from django.views.debug import ExceptionReporter, SafeExceptionReporterFilter

from estuary_admin.observability.redaction import mask_secrets


class _RedactedValue:
    """Redacts a variable before Django truncates it: half a token is not recognised as one."""

    def __init__(self, value: object) -> None:
        self._value = value

    def __repr__(self) -> str:
        return mask_secrets(repr(self._value))


class TokenFreeFilter(SafeExceptionReporterFilter):
    def get_traceback_frame_variables(
        self, request: HttpRequest | None, tb_frame: FrameType
    ) -> ItemsView[str, Any]:
        found = super().get_traceback_frame_variables(request, tb_frame)
        return {name: _RedactedValue(value) for name, value in found}.items()


class TokenFreeReporter(ExceptionReporter):
    """Redacts the whole report: stack frames, the request and the error's message."""

    def get_traceback_html(self) -> SafeString:
        return SafeString(mask_secrets(super().get_traceback_html()))

    def get_traceback_text(self) -> SafeString:
        return SafeString(mask_secrets(super().get_traceback_text()))
