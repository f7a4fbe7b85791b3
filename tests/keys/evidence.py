"""What tests look at afterwards: the audit, and what the node was asked."""

from __future__ import annotations

import html
import math
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


def check_url_of(response: Any) -> str:
    """Where the browser asks whether the page is still right; "" when it does not ask."""
    found = re.search(r'data-hx-get="([^"]*[?;]seen=[^"]*)"', response.content.decode())
    return html.unescape(found[1]) if found else ""


def checked(client: Client, path: str) -> Any:
    """What a browser shows in the end: the page, or the page that its check brings instead."""
    page = client.get(path)
    if not (url := check_url_of(page)):
        return page
    answer = client.get(url, headers={"HX-Request": "true"})
    return answer if answer.headers.get("HX-Retarget") == "#main" else page


def words_of(response: Any) -> str:
    """A page as people read it: without tags, blanks run together."""
    text = re.sub(r"</(dt|dd|td|th|p|li|h\d)>", " ", response.content.decode())
    text = re.sub(r"<[^>]*>", "", text)
    return " ".join(html.unescape(text).split())


def revoke_elsewhere(node: Sandbox, token: str) -> None:
    """Revoke the key of a token that the node has just accepted, and keep it accepted for as long
    as the test runs: its own key is missing in the list that it gets."""
    authorization = node._dispatcher.api._authorization
    key = authorization._check(token)
    authorization._accepted[token] = (math.inf, key)
    node.remove_key(token)
