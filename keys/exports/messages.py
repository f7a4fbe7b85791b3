"""Messages to members about exports that are ready, or that failed."""

from __future__ import annotations

from typing import Any

from django.contrib.auth.models import User
from django.template.defaultfilters import pluralize
from django.template.loader import render_to_string
from django.urls import reverse

from estuary_admin.web.addresses import absolute_address
from keys.models import PreparedExport, TeamExport
from keys.notices.digest import Content, content_of

EXPORTED_BY_ADMIN = "export.by_admin"


def ready_message(row: PreparedExport) -> Content:
    """The message to a member whose export can be downloaded."""
    return _content(row, "export.ready", "Your export is ready")


def failed_message(row: PreparedExport) -> Content:
    """The message to a member whose export could not be prepared."""
    return _content(row, "export.failed", "Your export could not be prepared")


def exported_by_admin_message(member: User, admin: str) -> Content:
    """Somebody else has a member's data now: the member must be able to object."""
    sentence = (
        f"The admin {admin} exported your data: your contents and storage deals, as part of an "
        "export of all members. Your keys and tokens are not in it."
    )
    context: dict[str, object] = {
        "member": member.get_username(),
        "title": "An admin exported your data",
        "sentence": sentence,
        "key_url": absolute_address(reverse("keys:exports")),
        "settings_url": absolute_address(reverse("keys:reminders")),
    }
    subject = "An admin exported your data"
    return content_of(EXPORTED_BY_ADMIN, subject, "event", context, {"sentence": sentence})


def team_export_message(row: TeamExport, count: int, all_parts: int) -> Content:
    """For the admin who asked for it."""
    is_ready = row.state == TeamExport.State.READY
    subject = "Your team export is ready" if is_ready else "Your team export failed"
    was = pluralize(1 if count == 1 else all_parts, "was,were")
    sentence = f"{count} of {all_parts} member{pluralize(all_parts)} {was} exported."
    context: dict[str, object] = {
        "member": row.requested_by_name,
        "title": subject,
        "sentence": sentence,
        "key_url": absolute_address(reverse("keys:team_export", args=[row.number])),
        "settings_url": absolute_address(reverse("keys:reminders")),
    }
    kind = "team_export.ready" if is_ready else "team_export.failed"
    return content_of(kind, subject, "event", context, {"sentence": sentence})


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
