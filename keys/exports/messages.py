"""What a member is told when an export is ready, or cannot be."""

from __future__ import annotations

from typing import Any

from django.template.loader import render_to_string
from django.urls import reverse

from estuary_admin.web.addresses import absolute_address
from keys.models import PreparedExport
from keys.notices.digest import Content


def ready_message(row: PreparedExport) -> Content:
    return _content(row, "export.ready", "Your export is ready")


def failed_message(row: PreparedExport) -> Content:
    return _content(row, "export.failed", "Your export could not be prepared")


def _content(row: PreparedExport, kind: str, subject: str) -> Content:
    url = absolute_address(reverse("keys:export", args=[row.number]))
    context: dict[str, Any] = {"export": row, "subject": subject, "url": url}
    data: dict[str, object] = {
        "export": str(row.number),
        "state": row.state,
        "reason": row.reason,
        "bytes": row.size,
        "sha256": row.sha256,
        "url": url,
    }
    text = render_to_string("notices/_export.txt", context)
    return Content(kind, subject, text, render_to_string("notices/_export.html", context), data)
