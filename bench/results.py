"""The results of one run, and their file."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from pathlib import Path

import msgspec

from bench.exports import ExportFigures
from bench.machine import Machine
from bench.members import Members
from bench.pages import Pages
from bench.paint import PaintFigures
from bench.profile import Profile
from bench.routes import RouteFigures


@dataclass
class Results:
    """The parts; one that was not measured is None."""

    machine: Machine
    pages: Pages | None = None
    paint: list[PaintFigures] | None = None
    exports: list[ExportFigures] | None = None
    members: Members | None = None
    profile: list[Profile] | None = None
    routes: list[RouteFigures] | None = None
    minutes: float = 0.0


def write(results: Results, path: Path) -> None:
    told = msgspec.json.encode(asdict(results))
    path.write_bytes(msgspec.json.format(told, indent=2) + b"\n")


def read(path: Path) -> Results:
    return msgspec.json.decode(path.read_bytes(), type=Results)
