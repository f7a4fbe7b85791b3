"""The report: targets, tables, pictures and the results file."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from xml.etree import ElementTree as ET

import pytest

from bench.compare import compared
from bench.curves import draw
from bench.exports import ExportFigures
from bench.load import Load
from bench.machine import this_machine
from bench.members import Members, percentile
from bench.pages import Memory, PageFigures, Pages
from bench.paint import Paint, PaintFigures
from bench.profile import Profile
from bench.report import BEGIN, END, told, write_into
from bench.results import Results, read, write
from bench.routes import RouteFigures
from bench.sizing import sized
from bench.stage import ROOT
from bench.svg import Chart, Curve, drawn
from bench.targets import MIB, rows_of

LOAD = Load(1, 100, 0, 400.0, 25.0, 30.0, 40.0, 50.0, 2.0)
KEPT = replace(LOAD, p50=5.0)
PLAIN = replace(LOAD, per_second=200.0)


@pytest.fixture
def results() -> Results:
    figures = [
        PageFigures(keys, count, LOAD, LOAD, KEPT, 6.25)
        for keys in (10, 10_000)
        for count in (1, 32)
    ]
    memory = [Memory(one.keys, one.connections, 90 * MIB, 120 * MIB, 80 * MIB) for one in figures]
    slow = PageFigures(10, 1, replace(LOAD, p50=500.0), LOAD, KEPT, 6.25)
    paint = Paint(30, 60, 140, 0, 0, 0, 4, 35_000, 9_000, 1, 5_000)
    return Results(
        this_machine(),
        pages=Pages(figures, memory, PLAIN, slow),
        paint=[PaintFigures(10, 7, paint, 130, 160, 100, 60)],
        exports=[
            ExportFigures(size, size * MIB, 2e8, 1.9e8, 0.95, 21, 30, MIB, 1.9)
            for size in (1, 1024)
        ],
        members=Members(200, 5, 0, 900, 1500, 1600, LOAD, 900, 0),
        profile=[Profile(10, {"templates": 60.0, "database and sessions": 40.0})],
        routes=[RouteFigures("key_detail", 4.0, 1.0), RouteFigures("account", 10.0, 2.5)],
        minutes=9.6,
    )


def test_what_is_good_enough_is_reached(results: Results) -> None:
    assert [row.what for row in rows_of(results) if not row.is_reached] == []


def test_what_is_missed_is_told_with_by_how_much(results: Results) -> None:
    assert results.exports
    results.exports[1] = replace(results.exports[1], ratio=0.8, growth=20 * MIB)

    lines = [line for line in told(results).splitlines() if "**no**" in line]

    assert [line.split(" | ")[3] for line in lines] == ["**no**, by 0.05", "**no**, by 4.0 MiB"]


def test_the_results_survive_their_file(results: Results, tmp_path: Path) -> None:
    write(results, tmp_path / "results.json")

    assert read(tmp_path / "results.json") == results


def test_only_the_block_of_the_page_is_rewritten(results: Results, tmp_path: Path) -> None:
    page = tmp_path / "README.md"
    page.write_text(f"before\n{BEGIN}\nfigures of 1970\n{END}\nafter\n")

    write_into(page, told(results))

    text = page.read_text()
    assert text.startswith(f"before\n{BEGIN}\n")
    assert text.endswith(f"{END}\nafter\n")
    assert "1970" not in text
    assert "32 connections ÷ the plain page's: kept | ≥ 1.50 | 2.00 | yes | 413 a second" in text


def test_runs_on_two_pythons_are_not_compared(results: Results) -> None:
    other = replace(results, machine=replace(results.machine, build="another"))

    assert any(
        "Export of 1 GiB: CPU | 1.9 s | 1.9 s" in line for line in compared(results, results)
    )
    with pytest.raises(SystemExit, match="are not compared"):
        compared(results, other)


def test_sizing_is_worked_out_from_the_figures(results: Results) -> None:
    assert "| 10 | 500 | 500 | 80 |" in sized(results)  # of 2 ms a page, and 80 MiB


def test_the_page_about_scaling_has_the_figures_that_were_kept() -> None:
    assert (
        sized(read(ROOT / "bench/results/results.json")) in (ROOT / "docs/scaling.md").read_text()
    )


def test_pictures_are_sound_and_name_the_machine(results: Results, tmp_path: Path) -> None:
    draw(results, tmp_path)

    pictures = sorted(tmp_path.glob("*.svg"))
    assert len(pictures) == 7
    for picture in pictures:
        words = "".join(ET.parse(picture).getroot().itertext())  # noqa: S314 - our own
        assert results.machine.cpu in words
        assert picture.stat().st_size < 10_000


def test_a_curve_stays_in_its_frame() -> None:
    chart = Chart("t", "x", "y", {1.0: "1", 9.0: "9"}, [Curve("c", [(1, 3), (9, 70)])], "f")

    circles = ET.fromstring(drawn(chart)).iter("{http://www.w3.org/2000/svg}circle")  # noqa: S314

    ((x1, y1), (x2, y2)) = [(float(dot.attrib["cx"]), float(dot.attrib["cy"])) for dot in circles]
    assert (x1, x2) == (64, 570)
    assert 56 <= y2 < y1 <= 356


@pytest.mark.parametrize(("share", "value"), [(50, 2), (95, 4), (1, 1)])
def test_percentiles_are_values_that_were_seen(share: int, value: int) -> None:
    assert percentile([4, 1, 3, 2], share) == value
