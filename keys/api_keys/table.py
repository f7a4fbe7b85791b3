"""The key list as a table: searched, counted, filtered, grouped or sorted, and cut into pages.

Over it are the filters, some of them for keys that the policy, a missing purpose or their origin
makes worth a look, and the strip: the next 13 weeks, with a mark for each key that ends in them.
"""

from __future__ import annotations

from bisect import bisect_left, bisect_right
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime, time, timedelta, tzinfo
from functools import lru_cache
from itertools import groupby, pairwise
from operator import attrgetter

from django.contrib.auth.models import User
from django.core.paginator import Page, Paginator
from django.utils import timezone

from estuary_admin.unicode_text import comparable
from keys.api_keys.kept_lists import KeyIndex, expiry_of
from keys.api_keys.plain_text import is_dismissed
from keys.api_keys.query import KeyQuery, Sort, Status
from keys.api_keys.rows import TERMS, Facts, KeyRow, facts_of, rows_of, terms_at
from keys.notes.services import hashes_matching
from keys.policy.load import current_policy
from keys.policy.rules import Finding, Policy, findings_of
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

WEEK = timedelta(days=7)
STRIP_WEEKS = 13
STRIP_DAYS = STRIP_WEEKS * WEEK.days
#: More keys than this on one day are drawn as a full column; the text says how many they are.
MARKS_PER_DAY = 5
#: Above this, a page names the findings without counts: a look at 10,000 keys takes 50 ms.
MAX_KEYS_EXAMINED = 400
HASHES_PER_QUERY = 400
FINDINGS = {
    Status.OVER_POLICY: Finding.OVER_POLICY,
    Status.NO_PURPOSE: Finding.NO_PURPOSE,
    Status.NOT_MADE_HERE: Finding.NOT_MADE_HERE,
}


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


def with_findings(
    keys: Sequence[ApiKey], node_now: datetime, facts: Facts | None, *, is_admin: bool
) -> dict[Status, list[ApiKey]]:
    """The keys with each finding, in the given order; `facts` are those of all of them."""
    facts = facts or _facts_of_many(keys)
    policy = current_policy()
    found: dict[Status, list[ApiKey]] = {status: [] for status in FINDINGS}
    for key in keys:
        record, note = facts.records.get(key.token_hash), facts.notes.get(key.token_hash)
        of_key = findings_of(
            policy,
            key,
            node_now,
            purpose=note.purpose if note else "",
            permission=record.permission if record else "",
            is_made_here=record is not None,
            is_admin=is_admin,
        )
        for status, finding in FINDINGS.items():
            if finding in of_key:
                found[status].append(key)
    return found


def has_policy() -> bool:
    """Whether there is a rule that a key could be over."""
    return current_policy() != Policy()


def _facts_of_many(keys: Sequence[ApiKey]) -> Facts:
    """In several queries: databases limit the parameters of one."""
    facts = Facts({}, {})
    for start in range(0, len(keys), HASHES_PER_QUERY):
        part = facts_of([key.token_hash for key in keys[start : start + HASHES_PER_QUERY]])
        facts = Facts({**facts.records, **part.records}, {**facts.notes, **part.notes})
    return facts


@dataclass(frozen=True, slots=True)
class StripWeek:
    """One week of the strip: its first day, the number of keys that end, and its link."""

    start: date
    count: int
    url: str
    is_current: bool


@dataclass(frozen=True, slots=True)
class ExpiryStrip:
    """`marks` is the `d` of an SVG path in a box of STRIP_DAYS by MARKS_PER_DAY units."""

    weeks: list[StripWeek]
    marks: str


def strip_of(members: Sequence[ApiKey], query: KeyQuery, node_now: datetime) -> ExpiryStrip:
    """The strip of all keys without sessions, by end: a search leaves it as it is."""
    today = timezone.localdate(node_now)
    midnights = _midnights_after(today, timezone.get_current_timezone())
    ended = bisect_right(members, node_now, key=expiry_of)
    ends = [bisect_left(members, moment, key=expiry_of) for moment in midnights]
    return _drawn(tuple(end - start for start, end in pairwise([ended, *ends])), today, query)


@lru_cache(maxsize=64)
def _midnights_after(today: date, zone: tzinfo) -> tuple[datetime, ...]:
    """The ends of the days of the strip. In UTC: comparing times of a zone with it is slow."""
    days = (today + timedelta(days=number) for number in range(1, STRIP_DAYS + 1))
    return tuple(
        timezone.make_aware(datetime.combine(day, time.min), zone).astimezone(UTC) for day in days
    )


@lru_cache(maxsize=512)
def _drawn(counts: tuple[int, ...], today: date, query: KeyQuery) -> ExpiryStrip:
    """The strip for the number of keys that end on each day."""
    if not any(counts):
        return ExpiryStrip([], "")
    weeks = [_week(number, today, counts, query) for number in range(STRIP_WEEKS)]
    return ExpiryStrip(weeks, _marks(counts))


def ending_in_week(by_end: Sequence[ApiKey], week: str, node_now: datetime) -> list[ApiKey]:
    """The keys that will end in the seven days from this one, in the member's zone."""
    first = date.fromisoformat(week)
    start = max(
        bisect_right(by_end, node_now, key=expiry_of),
        bisect_left(by_end, _midnight(first), key=expiry_of),
    )
    return list(by_end[start : bisect_left(by_end, _midnight(first + WEEK), key=expiry_of)])


def _midnight(day: date) -> datetime:
    return timezone.make_aware(datetime.combine(day, time.min))


def _week(number: int, today: date, counts: Sequence[int], query: KeyQuery) -> StripWeek:
    start = today + number * WEEK
    is_current = query.week == start.isoformat()
    week = "" if is_current else start.isoformat()  # the current one leads back
    days = counts[number * WEEK.days : (number + 1) * WEEK.days]
    return StripWeek(start, sum(days), query.url(week=week, status=Status.ALL), is_current)


def _marks(counts: Sequence[int]) -> str:
    """A line for each day, as high as its keys are many; its dashes are the marks."""
    lines = []
    for day, count in enumerate(counts):
        if count:
            lines.append(f"M{day}.5 {MARKS_PER_DAY}v-{min(count, MARKS_PER_DAY)}")
        if count > MARKS_PER_DAY:  # a second line fills the gaps
            lines.append(f"M{day}.5 4.8v-4.8")
    return "".join(lines)
