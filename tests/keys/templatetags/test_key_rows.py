"""Rows filled into a pattern are what the template alone would make of them."""

from __future__ import annotations

from collections.abc import Collection
from datetime import UTC, datetime, timedelta
from types import SimpleNamespace

import pytest
from django.template.loader import render_to_string
from django.utils import timezone
from django.utils.safestring import SafeString

from estuary_admin.rendering.fragments import INDENTATION, PLACEHOLDER
from keys.api_keys.query import Status
from keys.api_keys.rows import TERMS, KeyRow
from keys.api_keys.table import RowGroup
from keys.templatetags.formats import end_from
from keys.templatetags.key_rows import key_groups
from keys.upstream import ApiKey

SOON = datetime.now(UTC) + timedelta(days=3, hours=1)
FACTS = ("status", "permission", "is_new", "is_own", "is_session", "is_legacy", "is_permanent")
TEXTS = ("token_hash", "label", "fingerprint", "url", "revoke_url", "rotate_url", "permission_text")


def row(
    label: str = "backup",
    status: Status = Status.ACTIVE,
    permission: str = "",
    facts: Collection[str] = (),
) -> KeyRow:
    is_session, is_legacy = "is_session" in facts, "is_legacy" in facts
    key = ApiKey("h" * 43, label, SOON, is_session, is_legacy)
    return KeyRow(key, status, label, permission, "is_own" in facts, "is_new" in facts)


def by_the_template(row: KeyRow, *, is_stale: bool) -> str:
    shown = SimpleNamespace(
        **{name: getattr(row, name) for name in (*FACTS, *TEXTS)},
        is_expired=row.is_expired,
        ends=end_from(timezone.now(), timezone.get_current_timezone(), row.expiry),
        is_stale=is_stale,
    )
    rows = INDENTATION.sub("\n", render_to_string("keys/_key_row.html", {"row": shown}))
    group = {"head": "", "rows": SafeString(rows)}
    html = render_to_string("keys/_key_row_group.html", {"group": group})
    return INDENTATION.sub("\n", html)


def key_rows(rows: list[KeyRow], *, is_stale: bool) -> str:
    """The rows as one group without a head."""
    return INDENTATION.sub("\n", key_groups([RowGroup(rows)], is_stale=is_stale))


@pytest.mark.parametrize("is_stale", [False, True])
@pytest.mark.parametrize("permission", ["", "upload", "all"])
@pytest.mark.parametrize("status", TERMS)
def test_a_row_of_each_status_is_as_its_template_says(
    status: Status, permission: str, is_stale: bool
) -> None:
    one = row(status=status, permission=permission)

    assert key_rows([one], is_stale=is_stale) == by_the_template(one, is_stale=is_stale)


@pytest.mark.parametrize("fact", ["is_new", "is_own", "is_session", "is_legacy"])
def test_a_row_with_a_tag_is_as_its_template_says(fact: str) -> None:
    one = row(facts=[fact])

    assert key_rows([one], is_stale=False) == by_the_template(one, is_stale=False)
    assert key_rows([one], is_stale=False) != key_rows([row()], is_stale=False)


@pytest.mark.parametrize(
    "label", ["", "{url}", "{0}", "}{", "%s", "<b>&'\"", PLACEHOLDER.format("url"), "نسخ", "a\nb"]
)
def test_whatever_a_label_holds_it_is_shown_as_text(label: str) -> None:
    one = row(label)

    assert key_rows([one], is_stale=False) == by_the_template(one, is_stale=False)


def test_rows_of_one_kind_keep_their_own_values() -> None:
    page = key_rows([row("first"), row("second")], is_stale=False)

    assert [page.count(f"<bdi>{label}</bdi></a>") for label in ("first", "second")] == [1, 1]
