"""The rows of the key table and the filters above it, filled into one pattern for each kind."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from datetime import datetime, timedelta
from functools import partial
from typing import NamedTuple

from django import template
from django.utils import timezone
from django.utils.safestring import SafeString

from estuary_admin.rendering.fragments import render_fragment
from keys.api_keys.query import Status
from keys.api_keys.rows import STATUS_TEXT, KeyRow, permission_text
from keys.api_keys.table import Chip
from keys.templatetags.formats import grouped, moment_from

register = template.Library()


class KindOfRow(NamedTuple):
    """Everything that decides how a row looks, except for the values in it."""

    status: Status
    status_text: str
    permission: str
    permission_text: str
    is_permanent: bool
    is_expired: bool
    is_new: bool
    is_own: bool
    is_session: bool
    is_legacy: bool
    is_stale: bool


class KindOfChip(NamedTuple):
    status: Status
    text: str
    is_current: bool


@register.simple_tag
def key_rows(
    rows: Iterable[KeyRow], *, is_stale: bool, clock_ahead: timedelta | None = None
) -> SafeString:
    """The `<tr>` of each row; `is_stale` when nothing can be done to the keys now."""
    moment = partial(
        moment_from,
        timezone.now(),
        timezone.get_current_timezone(),
        clock_ahead=clock_ahead or timedelta(),
    )
    return SafeString("".join([_row(row, bool(is_stale), moment) for row in rows]))


def _row(
    row: KeyRow,
    is_stale: bool,  # noqa: FBT001
    moment: Callable[[datetime], SafeString],
) -> SafeString:
    status, url = row.status, row.url
    kind = KindOfRow(
        status,
        STATUS_TEXT[status],
        row.permission,
        permission_text(row.permission),
        status is Status.PERMANENT,
        status is Status.EXPIRED,
        row.is_new,
        row.is_own,
        row.is_session,
        row.is_legacy,
        is_stale,
    )
    values = {
        "fingerprint": row.fingerprint,
        "url": url,
        "revoke_url": row.revoke_url,
        "expires": moment(row.expiry),
    }
    if row.label:
        values["label"] = row.label
    if row.note:
        values["note"] = row.note
    return render_fragment("keys/_key_row.html", "row", kind, values)


@register.simple_tag
def key_chips(chips: Iterable[Chip]) -> SafeString:
    """The `<li>` of each filter."""
    return SafeString("".join(map(_chip, chips)))


def _chip(chip: Chip) -> SafeString:
    kind = KindOfChip(chip.status, chip.text, chip.is_current)
    values = {"url": chip.url, "count": grouped(chip.count)}
    return render_fragment("keys/_key_chip.html", "chip", kind, values)
