"""Rows of long lists that only admins see whole: each is filled into one pattern for its kind."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from datetime import datetime
from functools import partial
from typing import NamedTuple

from django import template
from django.template import Context
from django.urls import reverse
from django.utils import timezone
from django.utils.safestring import SafeString

from estuary_admin.rendering.fragments import NoVariant, render_fragment
from keys.audit.rows import AuditRow
from keys.team.members import MemberRow
from keys.templatetags.formats import binary_size, exact_moment, grouped, moment_from
from keys.token.stored_tokens import ConnectedMember

register = template.Library()


class KindOfMember(NamedTuple):
    action: str
    limit: int


class KindOfTeamMember(NamedTuple):
    is_admin: bool
    is_active: bool
    must_off_board: bool
    has_factor: bool
    has_local_password: bool
    has_trouble: bool
    is_connected: bool
    is_seen: bool


class KindOfEvent(NamedTuple):
    has_key: bool
    has_address: bool


@register.simple_tag(takes_context=True)
def export_members(
    context: Context, members: Iterable[ConnectedMember], wait_seconds: int
) -> SafeString:
    """The `<li>` of each member whose data an admin can download."""
    kind = KindOfMember(reverse("keys:export_download"), wait_seconds)
    csrf_token = str(context["csrf_token"])
    return SafeString("".join([_member(member, kind, csrf_token) for member in members]))


def _member(member: ConnectedMember, kind: KindOfMember, csrf_token: str) -> SafeString:
    values = {
        "id": str(member.id),
        "username": member.username,
        "search_text": member.username.lower(),
        "connected": exact_moment(member.connected_at),
        "csrf_token": csrf_token,
    }
    return render_fragment("keys/_export_member.html", "member", kind, values)


@register.simple_tag
def team_members(rows: Iterable[MemberRow]) -> SafeString:
    """The `<tr>` of each member of the team."""
    past = partial(moment_from, timezone.now(), timezone.get_current_timezone(), kind="past")
    return SafeString("".join([_team_member(row, past) for row in rows]))


def _team_member(row: MemberRow, past: Callable[[datetime], SafeString]) -> SafeString:
    member, account, health = row.member, row.account, row.health
    kind = KindOfTeamMember(
        row.is_admin,
        member.is_active,
        row.must_off_board,
        row.has_factor,
        row.has_local_password,
        row.has_trouble,
        row.is_connected,
        row.is_seen,
    )
    size = account.total_size if account else None
    values = {
        "url": row.url,
        "name": member.get_username(),
        "health": health,
        "working": grouped(row.counts.working),
        "findings": ", ".join(row.counts.finding_words) or "None",
        "stored": "Unknown" if size is None else binary_size(size),
        "last_sign_in": past(member.last_login) if member.last_login else "Never",
    }
    if account and account.trouble:
        values["trouble"] = account.trouble
    if account and account.as_of:
        values["as_of"] = past(account.as_of)
    if words := row.counts.words:
        values["key_words"] = " · ".join(words)
    return render_fragment("keys/_team_member_row.html", "row", kind, values)


@register.simple_tag
def audit_events(rows: Iterable[AuditRow]) -> SafeString:
    """The `<li>` of each row of the audit, with its facts."""
    return SafeString("".join(map(_event, rows)))


def _event(row: AuditRow) -> SafeString:
    values = {
        "at": row.at.isoformat() if row.at else "",
        "exact_moment": exact_moment(row.at) if row.at else "Unreadable time",
        "sentence": row.sentence,
        "token_hash": row.token_hash,
        "fingerprint": row.fingerprint,
        "address": row.address,
        "facts": SafeString("".join([_fact(name, value) for name, value in row.facts])),
    }
    kind = KindOfEvent(bool(row.token_hash), bool(row.address))
    return render_fragment("keys/_audit_event.html", "row", kind, values)


def _fact(name: str, value: str) -> SafeString:
    values = {"name": name, "value": value}
    return render_fragment("keys/_audit_fact.html", "fact", NoVariant(), values)
