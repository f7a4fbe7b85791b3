"""The table of the browser's figures."""

from __future__ import annotations

from collections.abc import Iterator

from bench.markdown import table
from bench.paint import PaintFigures


def of_paint(found: list[PaintFigures]) -> Iterator[str]:
    yield "Chromium, cold: new process, empty profile, 1280 x 800. Times in ms from the navigation"
    yield "on, sizes in kB over the wire with headers; medians. “Empty” is when the row of a page"
    yield "is painted that holds nothing else, with the console's headers; “no COOP” the same"
    yield "without Cross-Origin-Opener-Policy, for which browsers start one more process."
    yield ""
    head = ("Keys", "Runs", "First byte", "First paint", "Row painted", "least to most")
    yield from table(
        (
            *head,
            "Empty",
            "no COOP",
            "Blocking",
            "Requests",
            "Size",
            "HTML",
            "Warm: requests",
            "size",
        ),
        *(
            (
                f"{one.keys:,}",
                one.runs,
                f"{one.paint.first_byte:.0f}",
                f"{one.paint.first_paint:.0f}",
                f"{one.paint.row_painted:.0f}",
                f"{one.row_painted_least:.0f} to {one.row_painted_most:.0f}",
                f"{one.empty:.0f}",
                f"{one.empty_without_opener_policy:.0f}",
                f"{one.paint.blocking:.0f}",
                f"{one.paint.requests:.0f}",
                f"{one.paint.size / 1000:.1f}",
                f"{one.paint.html_size / 1000:.1f}",
                f"{one.paint.warm_requests:.0f}",
                f"{one.paint.warm_size / 1000:.1f}",
            )
            for one in found
        ),
        words=0,
    )
