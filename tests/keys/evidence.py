"""What tests look at afterwards: the audit, and what the node was asked."""

from __future__ import annotations

import html
import re
from typing import Any

from django.test import Client

from keys.audit.vocabulary import Action
from keys.models import AuditEntry
from keys.sandbox import Sandbox


def audited() -> list[tuple[str, str]]:
    """Action and outcome of every row, oldest first; without sign-ins, which tests begin with."""
    rows = AuditEntry.objects.exclude(action=Action.SIGNED_IN).order_by("pk")
    return [(row.action, row.outcome) for row in rows]


def last_row(action: Action) -> AuditEntry:
    return AuditEntry.objects.filter(action=action).latest("pk")


def asked(node: Sandbox) -> list[str]:
    """The requests that reached the node, as `GET /user/stats`."""
    return [f"{request.method} {request.path}" for request in node.requests]


def labels_at(node: Sandbox) -> list[str]:
    return sorted(key.label for key in node.state.keys.values())


def listed(client: Client, query: str = "") -> list[str]:
    """The labels of the rows, in their order."""
    page = client.get(f"/keys/{query}").content.decode()
    parts = page.split('class="key-label"')[1:]
    return [part.split("<bdi>")[1].split("</bdi>")[0] for part in parts]


def words_of(response: Any) -> str:
    """A page as people read it: without tags, blanks run together."""
    text = re.sub(r"</(dt|dd|td|th|p|li|h\d)>", " ", response.content.decode())
    text = re.sub(r"<[^>]*>", "", text)
    return " ".join(html.unescape(text).split())
