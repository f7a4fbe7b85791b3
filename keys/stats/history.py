"""Size and pins over time: points by day, their change, and the line of a chart."""

from __future__ import annotations

import csv
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from datetime import date, timedelta

from django.contrib.auth.models import User
from django.utils import timezone

from keys.audit.download import Line
from keys.models import StatsSample, SyncedAccount, TeamSample

SPANS = {30: "30 days", 90: "90 days", 365: "A year"}
#: The drawing area of a chart, in its own units.
WIDTH, HEIGHT = 600, 120


@dataclass(frozen=True, slots=True)
class Point:
    day: date
    total_size: int
    pin_count: int
    missing_accounts: int = 0  # of the team: connected, but not read yet


@dataclass(frozen=True, slots=True)
class Chart:
    """One line; `points` and `dot` are coordinates of SVG."""

    points: str
    dot: tuple[float, float]
    least: int
    most: int


@dataclass(frozen=True, slots=True)
class History:
    """The samples of a span, oldest first."""

    span: int
    points: list[Point]

    @property
    def first(self) -> Point:
        return self.points[0]

    @property
    def last(self) -> Point:
        return self.points[-1]

    @property
    def is_of_today(self) -> bool:
        return self.last.day == today()

    @property
    def tells_change(self) -> bool:
        """Whether the first and the last point are two, and sums of whole teams."""
        both = [self.first.missing_accounts, self.last.missing_accounts]
        return len(self.points) > 1 and not any(both)

    @property
    def size_change(self) -> int:
        return self.last.total_size - self.first.total_size

    @property
    def pin_change(self) -> int:
        return self.last.pin_count - self.first.pin_count

    @property
    def size_chart(self) -> Chart:
        return chart_of([(point.day, point.total_size) for point in self.points])

    @property
    def pin_chart(self) -> Chart:
        return chart_of([(point.day, point.pin_count) for point in self.points])

    @property
    def newest_first(self) -> list[Point]:
        return self.points[::-1]


def span_in(text: str) -> int:
    """The span that an address asks for; 30 days unless it is one of SPANS."""
    return int(text) if text.isascii() and text.isdecimal() and int(text[:6]) in SPANS else 30


def of_member(member: User, span: int) -> History:
    """The samples of the account that the member has connected now or had last."""
    account = SyncedAccount.objects.filter(member=member).first()
    if account is None:
        return History(span, [])
    rows = StatsSample.objects.filter(account=account, epoch=account.epoch, day__gt=_start(span))
    found = rows.order_by("day").values_list("day", "total_size", "pin_count")
    return History(span, [Point(*facts) for facts in found])


def of_team(span: int) -> History:
    """The sums of the team for the last `span` days."""
    rows = TeamSample.objects.filter(day__gt=_start(span)).order_by("day")
    found = rows.values_list("day", "total_size", "pin_count", "missing_accounts")
    return History(span, [Point(*facts) for facts in found])


def chart_of(values: Sequence[tuple[date, int]]) -> Chart:
    """A line over days; a value that never changes is drawn in the middle."""
    least, most = min(value for _, value in values), max(value for _, value in values)
    days = (values[-1][0] - values[0][0]).days or 1
    spread = (most - least) or 1

    def place(day: date, value: int) -> tuple[float, float]:
        up = (value - least) / spread if most > least else 0.5
        across = (day - values[0][0]).days / days * WIDTH if len(values) > 1 else WIDTH
        return round(across, 1), round(HEIGHT - up * HEIGHT, 1)

    places = [place(day, value) for day, value in values]
    return Chart(" ".join(f"{x},{y}" for x, y in places), places[-1], least, most)


def csv_lines(points: Iterable[Point]) -> Iterator[str]:
    """The samples as CSV (RFC 4180): day, stored bytes, number of pins."""
    writer = csv.writer(Line(), lineterminator="\r\n")
    yield writer.writerow(("day", "bytes", "pins"))
    for point in points:
        yield writer.writerow((point.day.isoformat(), point.total_size, point.pin_count))


def today() -> date:
    """The current day in TIME_ZONE, to which samples belong."""
    return timezone.localdate(timezone=timezone.get_default_timezone())


def _start(span: int) -> date:
    return today() - timedelta(days=span)
