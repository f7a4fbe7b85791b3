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
from keys.api_keys.rows import KeyRow, permission_text
from keys.api_keys.table import Chip, RowGroup, StripWeek
from keys.templatetags.formats import end_from, exact_moment, grouped, moment_from, short_date

register = template.Library()

EndOf = Callable[[datetime], SafeString]


class KindOfRow(NamedTuple):
    """Everything that decides how a row looks, except for the values in it."""

    status: Status
    permission: str
    permission_text: str
    is_permanent: bool
    is_expired: bool
    is_new: bool
    is_own: bool
    is_session: bool
    is_legacy: bool
    is_stale: bool


class KindOfGroup(NamedTuple):
    name: str
    head: str


class KindOfChip(NamedTuple):
    status: Status
    is_one: bool
    is_current: bool


class KindOfWeek(NamedTuple):
    is_one: bool
    is_current: bool


@register.simple_tag
def key_groups(
    groups: Iterable[RowGroup], *, is_stale: bool, clock_ahead: timedelta | None = None
) -> SafeString:
    """The `<tbody>` of each group; `is_stale` when nothing can be done to the keys now."""
    end_of = partial(
        end_from,
        timezone.now(),
        timezone.get_current_timezone(),
        clock_ahead=clock_ahead or timedelta(),
    )
    return SafeString("".join([_group(group, bool(is_stale), end_of) for group in groups]))


def _group(
    group: RowGroup,
    is_stale: bool,  # noqa: FBT001
    end_of: EndOf,
) -> SafeString:
    values = {
        "count": grouped(group.count),
        "rows": SafeString("".join([_row(row, is_stale, end_of) for row in group.rows])),
    }
    kind = KindOfGroup(group.name, group.head)
    return render_fragment("keys/_key_row_group.html", "group", kind, values)


def _row(
    row: KeyRow,
    is_stale: bool,  # noqa: FBT001
    end_of: EndOf,
) -> SafeString:
    status = row.status
    kind = KindOfRow(
        status,
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
        "token_hash": row.token_hash,
        "url": row.url,
        "revoke_url": row.revoke_url,
        "rotate_url": row.rotate_url,
        "ends": end_of(row.expiry),
    }
    if row.label:
        values["label"] = row.label
    if row.note:
        values["note"] = row.note
    if row.rotate_by:
        is_overdue = row.rotate_by <= timezone.now()
        values["rotate_overdue" if is_overdue else "rotate_by"] = exact_moment(row.rotate_by)
    for tie in row.ties:
        values["replaced_by" if tie.is_replaced else "replaces"] = tie.other_fingerprint
        if tie.is_replaced:
            now, zone = timezone.now(), timezone.get_current_timezone()
            values["tie_end"] = moment_from(now, zone, tie.ends_at)
    return render_fragment("keys/_key_row.html", "row", kind, values)


@register.simple_tag
def key_chips(chips: Iterable[Chip], clock_ahead: timedelta | None = None) -> SafeString:
    """The `<li>` of each filter."""
    return SafeString("".join([_chip(chip, clock_ahead or timedelta()) for chip in chips]))


def _chip(chip: Chip, clock_ahead: timedelta) -> SafeString:
    kind = KindOfChip(chip.status, chip.count == 1, chip.is_current)
    values = {"url": chip.url}
    if chip.count is not None:
        values["count"] = grouped(chip.count)
    if chip.next_end:
        now, zone = timezone.now(), timezone.get_current_timezone()
        values["next"] = moment_from(now, zone, chip.next_end, clock_ahead=clock_ahead)
    return render_fragment("keys/_key_chip.html", "chip", kind, values)


@register.simple_tag
def strip_weeks(weeks: Iterable[StripWeek]) -> SafeString:
    """The `<li>` of each week of the strip."""
    return SafeString("".join(map(_week, weeks)))


def _week(week: StripWeek) -> SafeString:
    kind = KindOfWeek(week.count == 1, week.is_current)
    values = {
        "start": short_date(week.start),
        "count": grouped(week.count),
        "url": week.url,
    }
    return render_fragment("keys/_key_list_week.html", "week", kind, values)
