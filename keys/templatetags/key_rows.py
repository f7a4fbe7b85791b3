"""The rows of the key table: rendered once for each kind of row, then only filled in.

Fifty rows by the template alone take longer than all the rest of a page together.
"""

from __future__ import annotations

from collections.abc import Iterable
from functools import cache
from html import escape
from typing import NamedTuple

from django import template
from django.template.loader import render_to_string
from django.utils.safestring import SafeString, mark_safe

from keys.key_query import Status
from keys.services.key_rows import PERMISSION_TEXT, STATUS_TEXT, KeyRow
from keys.templatetags.moments import moment

register = template.Library()

HOLE = "\ue000{}\ue001"  # stands in a rendered kind of row where a value goes


class Kind(NamedTuple):
    """All that decides how a row looks, but for the values in it."""

    status: Status
    permission: str
    is_new: bool
    is_own: bool
    is_session: bool
    is_legacy: bool
    has_label: bool
    is_stale: bool


@register.simple_tag
def key_rows(rows: Iterable[KeyRow], *, is_stale: bool) -> SafeString:
    """The `<tr>` of each row; `is_stale` when nothing can be done to the keys now."""
    return mark_safe("".join([_filled(row, is_stale) for row in rows]))  # noqa: S308


def _filled(row: KeyRow, is_stale: bool) -> str:  # noqa: FBT001
    kind = Kind(
        row.status,
        row.permission,
        row.is_new,
        row.is_own,
        row.is_session,
        row.is_legacy,
        bool(row.label),
        is_stale,
    )
    return _pattern(kind).format(
        label=escape(row.label),
        fingerprint=row.fingerprint,
        url=row.url,
        revoke_url=row.revoke_url,
        expires=moment(row.expiry),
    )


@cache
def _pattern(kind: Kind) -> str:
    """The row's template with `{name}` where a value goes."""
    names = ("fingerprint", "url", "revoke_url", "expires", *(["label"] if kind.has_label else []))
    row = kind._asdict() | {name: HOLE.format(name) for name in names}
    row |= {
        "is_expired": kind.status is Status.EXPIRED,
        "is_permanent": kind.status is Status.PERMANENT,
        "status_text": STATUS_TEXT[kind.status],
        "permission_text": PERMISSION_TEXT[kind.permission],
    }
    html: str = render_to_string("keys/_key_row.html", {"row": row, "stale_reason": kind.is_stale})
    html = html.replace("{", "{{").replace("}", "}}")
    for name in names:
        html = html.replace(HOLE.format(name), f"{{{name}}}")
    return html
