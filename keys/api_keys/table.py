"""The key list as a table: searched, counted, filtered, grouped or sorted, and cut into pages."""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from itertools import groupby, pairwise
from operator import attrgetter

from django.contrib.auth.models import User
from django.core.paginator import Page, Paginator

from estuary_admin.unicode_text import comparable
from keys.api_keys.expiry_strip import ExpiryStrip, ending_in_week, strip_of
from keys.api_keys.findings import FINDINGS, MAX_KEYS_EXAMINED, has_policy, with_findings
from keys.api_keys.key_index import KeyIndex, expiry_of
from keys.api_keys.plain_text import is_dismissed
from keys.api_keys.query import KeyQuery, Sort, Status
from keys.api_keys.rows import TERMS, Facts, KeyRow, facts_of, rows_of, terms_at
from keys.notes.services import hashes_matching
from keys.upstream import ApiKey

PAGE_SIZE = 40  # rows; even with random labels they take only 8 KB, compressed
#: The groups of the list in their order, each with its head.
GROUPS = {
    Status.EXPIRING: "Ends within 7 days",
    Status.ACTIVE: "Later",
    Status.PERMANENT: "No expiry",
    Status.EXPIRED: "Ended",
}
#: The filters in the line over the table, in their order.
FILTERS = (
    Status.ALL,
    Status.EXPIRING,
    Status.ACTIVE,
    Status.PERMANENT,
    Status.LEGACY,
    Status.EXPIRED,
    Status.SESSION,
    Status.OVER_POLICY,
    Status.NO_PURPOSE,
    Status.NOT_MADE_HERE,
)


@dataclass(frozen=True, slots=True)
class Chip:
    """A filter with its count; `next_end` is when the first of the keys ends."""

    status: Status
    count: int | None  # None when counting would cost too much on each page
    url: str
    is_current: bool
    next_end: datetime | None = None


@dataclass(frozen=True, slots=True)
class SortLink:
    """The head of a column that sorts, as a link."""

    url: str
    direction: str  # as aria-sort says it


@dataclass(frozen=True, slots=True)
class RowGroup:
    """Rows of the page below one head; `count` includes those on other pages."""

    rows: list[KeyRow]
    name: str = ""
    head: str = ""  # none when the list is sorted: it has no groups then
    count: int = 0


@dataclass(frozen=True, slots=True)
class KeyTable:
    """One page of the key list with everything around the rows."""

    page: Page[KeyRow]
    groups: list[RowGroup]
    chips: list[Chip]
    strip: ExpiryStrip
    previous_url: str
    next_url: str
    label_sort: SortLink
    end_sort: SortLink

    @property
    def names_plain_text(self) -> bool:
        """Whether the line over the table counts keys in plain text, so that one can dismiss it."""
        return any(chip.status is Status.LEGACY for chip in self.chips)


def table_of(
    keys: KeyIndex,
    query: KeyQuery,
    own_hash: str,
    node_now: datetime,
    new_hash: str = "",
    *,
    member: User,
    is_admin: bool = False,
) -> KeyTable:
    """One page of rows for a query; the counts are those of what is searched."""
    searched = _searched(keys, query.q)
    by_status, facts = _filtered(searched, query, node_now, is_admin=is_admin)
    found = _found(by_status, query, node_now)
    shown = _new_first(_ordered(found, searched, query.sort, node_now), new_hash)
    part = Paginator(shown, PAGE_SIZE).get_page(query.page)
    rows = rows_of(part.object_list, own_hash, node_now, new_hash, facts)
    page: Page[KeyRow] = Page(rows, part.number, part.paginator)  # type: ignore[arg-type]
    is_grouped = query.sort is Sort.NEXT
    return KeyTable(
        page=page,
        groups=_groups(rows, _terms(found, node_now)) if is_grouped else [RowGroup(rows=rows)],
        chips=_chips(by_status, query, member),
        strip=strip_of(keys.without_sessions, query, node_now),
        previous_url=query.url(page=page.number - 1) if page.has_previous() else "",
        next_url=query.url(page=page.number + 1) if page.has_next() else "",
        label_sort=_label_sort(query),
        end_sort=_end_sort(query),
    )


def keys_found(
    keys: KeyIndex, query: KeyQuery, node_now: datetime, *, is_admin: bool
) -> list[ApiKey]:
    """All keys that a query finds, whatever its page."""
    searched = _searched(keys, query.q)
    by_status, _ = _filtered(searched, query, node_now, is_admin=is_admin)
    return _ordered(_found(by_status, query, node_now), searched, query.sort, node_now)


def _found(
    by_status: Mapping[Status, list[ApiKey]], query: KeyQuery, node_now: datetime
) -> list[ApiKey]:
    found = by_status[query.status]
    return ending_in_week(found, query.week, node_now) if query.week else found


def _filtered(
    searched: KeyIndex, query: KeyQuery, node_now: datetime, *, is_admin: bool
) -> tuple[dict[Status, list[ApiKey]], Facts | None]:
    """Keys by filter, and what we recorded about those of the page if it is known by then."""
    by_status = _by_status(searched, node_now, with_sessions=bool(query.q))
    counted = by_status[Status.ALL]
    is_counted = len(counted) <= MAX_KEYS_EXAMINED
    facts = facts_of([key.token_hash for key in counted]) if is_counted else None
    if is_counted or query.status in FINDINGS:
        by_status |= with_findings(counted, node_now, facts, is_admin=is_admin)
    return by_status, None if query.status is Status.SESSION else facts


def _searched(keys: KeyIndex, text: str) -> KeyIndex:
    """The keys whose label or note contains the text, or whose hash begins with it."""
    if not text:
        return keys
    wanted, noted = comparable(text), hashes_matching(text)
    return KeyIndex(
        key
        for key in keys.keys
        if wanted in keys.labels[key.token_hash]
        or key.token_hash.startswith(text)
        or key.token_hash in noted
    )


def _by_status(
    keys: KeyIndex, node_now: datetime, *, with_sessions: bool
) -> dict[Status, list[ApiKey]]:
    """Keys by filter; a legacy key is in two.

    A search looks at every key, because a leaked token may belong to a session key. Without one,
    session keys are in their own filter only.
    """
    counted = keys.by_end if with_sessions else keys.without_sessions
    return {
        Status.ALL: counted,
        **_terms(counted, node_now),
        Status.LEGACY: [key for key in keys.legacy if with_sessions or not key.is_session],
        Status.SESSION: keys.sessions,
    }


def _terms(by_end: list[ApiKey], node_now: datetime) -> dict[Status, list[ApiKey]]:
    """The same keys by how long they still work: cut, not compared one by one."""
    cuts = [bisect_right(by_end, moment, key=expiry_of) for moment in terms_at(node_now)]
    edges = pairwise([0, *cuts, len(by_end)])
    return {term: by_end[start:end] for term, (start, end) in zip(TERMS, edges, strict=True)}


def _ordered(by_end: list[ApiKey], keys: KeyIndex, sort: Sort, node_now: datetime) -> list[ApiKey]:
    if sort is Sort.EXPIRY:
        return by_end
    if sort is Sort.EXPIRY_DOWN:
        return by_end[::-1]
    if sort is Sort.NEXT:  # what has ended comes last, the most recent first
        ended = bisect_right(by_end, node_now, key=expiry_of)
        return by_end[ended:] + by_end[:ended][::-1]
    # Keys without a label that shows come last, in either direction.
    labels = keys.labels
    labelled = [key for key in by_end if labels[key.token_hash]]
    labelled.sort(key=lambda key: labels[key.token_hash], reverse=sort is Sort.LABEL_DOWN)
    return labelled + [key for key in by_end if not labels[key.token_hash]]


def _new_first(shown: list[ApiKey], new_hash: str) -> list[ApiKey]:
    """After a creation the member looks for the new key: it comes first, on that page only."""
    return sorted(shown, key=lambda key: key.token_hash != new_hash) if new_hash else shown


def _groups(rows: list[KeyRow], terms: Mapping[Status, Sequence[ApiKey]]) -> list[RowGroup]:
    """The rows of a page, each group with the count of all its keys."""
    groups = []
    for (is_new, status), members in groupby(rows, attrgetter("is_new", "status")):
        if is_new:
            groups.append(RowGroup(list(members), "new", "New", 1))
        else:
            new = sum(row.is_new and row.status is status for row in rows)
            count = len(terms[status]) - new
            groups.append(RowGroup(list(members), status.value, GROUPS[status], count))
    return groups


def _chips(
    by_status: Mapping[Status, Sequence[ApiKey]], query: KeyQuery, member: User
) -> list[Chip]:
    """The filters that find something and are not dismissed, and the current one."""
    chips = []
    for status in FILTERS:
        found = by_status.get(status)
        is_current = status is query.status and not query.week
        if found is None:
            is_worth_naming = status is not Status.OVER_POLICY or has_policy()
        else:
            is_worth_naming = bool(found) or is_current or status is Status.ALL
        if status is Status.LEGACY and found and not is_current:
            is_worth_naming = not is_dismissed(member, found)
        if not is_worth_naming:
            continue
        next_end = found[0].expiry if found and status is Status.EXPIRING else None
        count = None if found is None else len(found)
        chips.append(Chip(status, count, query.url(status=status, week=""), is_current, next_end))
    return chips


def _label_sort(query: KeyQuery) -> SortLink:
    if query.sort is Sort.LABEL:
        return SortLink(query.url(sort=Sort.LABEL_DOWN), "ascending")
    direction = "descending" if query.sort is Sort.LABEL_DOWN else "none"
    return SortLink(query.url(sort=Sort.LABEL), direction)


def _end_sort(query: KeyQuery) -> SortLink:
    """From the groups to ascending, descending, and back to the groups."""
    if query.sort is Sort.EXPIRY:
        return SortLink(query.url(sort=Sort.EXPIRY_DOWN), "ascending")
    if query.sort is Sort.EXPIRY_DOWN:
        return SortLink(query.url(sort=Sort.NEXT), "descending")
    direction = "other" if query.sort is Sort.NEXT else "none"
    return SortLink(query.url(sort=Sort.EXPIRY), direction)
