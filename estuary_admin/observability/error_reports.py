"""Reports of crashes, by mail or on the screen, without the tokens that were at hand."""

from __future__ import annotations

from collections.abc import ItemsView
from types import FrameType
from typing import Any

from django.http import HttpRequest
from django.utils.safestring import SafeString
from django.views.debug import ExceptionReporter, SafeExceptionReporterFilter

from keys.upstream.redaction import redact


class _Shown:
    """A value as it is shown: redacted before long ones are wrapped or cut within a token."""

    def __init__(self, value: object) -> None:
        self._value = value

    def __repr__(self) -> str:
        return redact(repr(self._value))


class TokenFreeFilter(SafeExceptionReporterFilter):
    def get_traceback_frame_variables(
        self, request: HttpRequest | None, tb_frame: FrameType
    ) -> ItemsView[str, Any]:
        found = super().get_traceback_frame_variables(request, tb_frame)
        return {name: _Shown(value) for name, value in found}.items()


class TokenFreeReporter(ExceptionReporter):
    """What Django shows of a crash, in DEBUG, too: frames, the request, the error's own words."""

    def get_traceback_html(self) -> SafeString:
        return SafeString(redact(super().get_traceback_html()))

    def get_traceback_text(self) -> SafeString:
        return SafeString(redact(super().get_traceback_text()))
