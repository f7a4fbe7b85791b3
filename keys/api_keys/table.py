"""The key list as a table: counted, filtered, searched, sorted and cut into pages."""

from __future__ import annotations

from bisect import bisect_left
from collections import Counter
from dataclasses import dataclass
from datetime import datetime

from django.core.paginator import Page, Paginator

from estuary_admin.unicode_text import comparable, shows_something
from keys.api_keys.query import KeyQuery, Sort, Status
from keys.api_keys.rows import STATUS_TEXT, TERMS, KeyRow, rows_of, terms_at
from keys.notes.services import hashes_matching
from keys.upstream import ApiKey

PAGE_SIZE = 40  # rows; even with random labels they take only 8 KB, compressed


@dataclass(frozen=True, slots=True)
class Chip:
    """A filter with its count."""

    status: Status
    text: str
    count: int
    url: str
    is_current: bool


@dataclass(frozen=True, slots=True)
class SortLink:
    url: str
    direction: str  # as aria-sort says it


@dataclass(frozen=True, slots=True)
class KeyTable:
    page: Page[KeyRow]
    chips: list[Chip]
    counts: Counter[Status]
    label_sort: SortLink
    expiry_sort: SortLink


def table_of(
    keys: tuple[ApiKey, ...],
    query: KeyQuery,
    own_hash: str,
    node_now: datetime,
    new_hash: str = "",
) -> KeyTable:
    """One page of rows for a query; the counts are over all keys, whatever is searched."""
    by_status = _by_status(keys, node_now)
    counts = Counter({status: len(members) for status, members in by_status.items()})
    found = _sorted(_matching(by_status[query.status], query.q), query.sort)
    if new_hash:
        found = _new_first(found, new_hash)
    part = Paginator(found, PAGE_SIZE).get_page(query.page)
    rows = rows_of(part.object_list, own_hash, node_now, new_hash)
    page: Page[KeyRow] = Page(rows, part.number, part.paginator)  # type: ignore[arg-type]
    return KeyTable(
        page=page,
        chips=[
            Chip(status, STATUS_TEXT[status], counts[status], query.url(status=status), current)
            for status in Status
            if (current := status is query.status) or counts[status] or status is Status.ALL
        ],
        counts=counts,
        label_sort=_sort_link(query, Sort.LABEL, Sort.LABEL_DOWN),
        expiry_sort=_sort_link(query, Sort.EXPIRY, Sort.EXPIRY_DOWN),
    )


def _by_status(keys: tuple[ApiKey, ...], node_now: datetime) -> dict[Status, list[ApiKey]]:
    """Keys by filter: session keys are only in their own, legacy keys in theirs as well."""
    members = [key for key in keys if not key.is_session]
    terms: tuple[list[ApiKey], ...] = tuple([] for _ in TERMS)
    ends = terms_at(node_now)  # once, and not for each of 10,000 keys
    for key in members:
        terms[bisect_left(ends, key.expiry)].append(key)
    return {
        Status.ALL: members,
        **dict(zip(TERMS, terms, strict=True)),
        Status.LEGACY: [key for key in members if key.is_legacy],
        Status.SESSION: [key for key in keys if key.is_session],
    }


def _matching(keys: list[ApiKey], text: str) -> list[ApiKey]:
    """Keys whose label or note contains the text, or whose hash begins with it."""
    if not text:
        return keys
    wanted, noted = comparable(text), hashes_matching(text)
    return [
        key
        for key in keys
        if wanted in comparable(key.label)
        or key.token_hash.startswith(text)
        or key.token_hash in noted
    ]


def _sorted(keys: list[ApiKey], sort: Sort) -> list[ApiKey]:
    down = sort.startswith("-")
    if sort in {Sort.EXPIRY, Sort.EXPIRY_DOWN}:
        return sorted(keys, key=lambda key: key.expiry, reverse=down)
    # Keys without a label that shows come last, in either direction.
    labelled = [key for key in keys if _has_label(key)]
    labelled.sort(key=lambda key: comparable(key.label), reverse=down)
    return labelled + [key for key in keys if not _has_label(key)]


def _has_label(key: ApiKey) -> bool:
    return key.label[:1].isalnum() or shows_something(key.label)


def _new_first(found: list[ApiKey], new_hash: str) -> list[ApiKey]:
    """After a creation the member looks for the new key: it comes first, on that page only."""
    return sorted(found, key=lambda key: key.token_hash != new_hash)


def _sort_link(query: KeyQuery, up: Sort, down: Sort) -> SortLink:
    if query.sort is up:
        return SortLink(query.url(sort=down), "ascending")
    return SortLink(query.url(sort=up), "descending" if query.sort is down else "none")
