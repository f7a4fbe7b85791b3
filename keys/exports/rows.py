"""Prepared exports as pages show them."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta

from django.utils import timezone

from keys.exports.delivery import checksum_line
from keys.models import PreparedExport

State = PreparedExport.State
#: Before that, a rate says more about the first bytes than about the rest.
MIN_SECONDS_FOR_RATE = 2.0


@dataclass(frozen=True, slots=True)
class ExportRow:
    """An export with what its page says about its progress."""

    export: PreparedExport
    sentence: str
    elapsed: str  # "" when nothing runs
    rate: int  # bytes a second; 0 when it is not known yet
    remaining: str  # "" when nobody can tell
    percent: int | None  # of the expected size
    checksum_line: str  # for `sha256sum -c`


def row_of(export: PreparedExport) -> ExportRow:
    now = timezone.now()
    rate = _rate(export, now)
    remaining = _remaining(export, rate)
    return ExportRow(
        export=export,
        sentence=_sentence(export),
        elapsed="" if export.is_final or not export.started_at else _words(now - export.started_at),
        rate=rate,
        remaining=_words(remaining) if remaining else "",
        percent=_percent(export),
        checksum_line=checksum_line(export) if export.state == State.READY else "",
    )


def _sentence(export: PreparedExport) -> str:
    if export.state == State.READY and not export.has_file:
        return "Its time is over: it can no longer be downloaded."
    if export.cancel_requested and not export.is_final:
        return "It is being cancelled."
    if export.state == State.RUNNING and not export.first_byte_at:
        return "Estuary is building the file, which can take minutes."
    sentences: dict[str, str] = {
        State.QUEUED: "It waits for a background worker, or for another export of this account.",
        State.RUNNING: "Estuary's answer is being stored.",
        State.VERIFYING: "All bytes are here. The file is being checked.",
        State.READY: "The file is complete: it was read back and checked to its end.",
        State.CANCELLED: "The export was cancelled. Nothing was kept.",
        State.EXPIRED: "The file was deleted when its time was over.",
    }
    return sentences.get(export.state, export.sentence)


def _rate(export: PreparedExport, now: datetime) -> int:
    if export.state != State.RUNNING or not export.first_byte_at:
        return 0
    seconds = (now - export.first_byte_at).total_seconds()
    return int(export.size / seconds) if seconds >= MIN_SECONDS_FOR_RATE else 0


def _remaining(export: PreparedExport, rate: int) -> timedelta | None:
    missing = export.expected_size - export.size
    return timedelta(seconds=missing // rate + 1) if rate and missing > 0 else None


def _percent(export: PreparedExport) -> int | None:
    if export.state != State.RUNNING or not export.first_byte_at or not export.expected_size:
        return None
    return min(99, 100 * export.size // export.expected_size)


def _words(time: timedelta) -> str:
    minutes, seconds = divmod(max(0, int(time.total_seconds())), 60)
    return f"{minutes} min {seconds} s" if minutes else f"{seconds} s"
