"""`python -m bench` measures, prints tables and writes the results; see `--help`."""

from __future__ import annotations

import argparse
import shutil
import sys
import time
import traceback
from pathlib import Path

from bench import exports, members, pages, paint, profile, routes
from bench.curves import draw
from bench.machine import python_build, this_machine
from bench.plan import FULL, QUICK, Plan
from bench.report import told, write_into
from bench.results import Results, write
from bench.sizing import sized
from bench.stage import ROOT, Stage, staged

HERE = Path(__file__).parent
ELSEWHERE = ROOT / "var/bench"  # for partial runs, which do not replace the results
PARTS = {
    "pages": pages.measure,
    "paint": paint.measure,
    "exports": exports.measure,
    "members": members.measure,
    "profile": profile.measure,
    "routes": routes.measure,
}
NOT_OPTIMISED = (
    "This Python is not optimised, so its figures would not be comparable. Run "
    "`make bench BENCH_PYTHON=/usr/bin/python3.11` with Debian's, or say --any-python."
)
PROGRAMS = {"wrk": "wrk", "curl": "curl"}  # program: Debian package


def main() -> int:
    options = _options()
    if lacking := [package for name, package in PROGRAMS.items() if not shutil.which(name)]:
        print(f"Install {' and '.join(lacking)}: apt-get install {' '.join(lacking)}")
        return 1
    plan = QUICK if options.quick else FULL
    if plan is FULL and python_build() != "optimised" and not options.any_python:
        print(NOT_OPTIMISED)
        return 1
    began = time.monotonic()
    results = Results(this_machine())
    with staged(plan.accounts()) as stage:
        failed = measure(results, stage, plan, options.part)
    results.minutes = (time.monotonic() - began) / 60
    is_whole = (
        plan is FULL
        and set(options.part) == set(PARTS)
        and not failed
        and results.machine.build == "optimised"
    )
    keep(results, HERE / "results" if is_whole else ELSEWHERE)
    if is_whole:
        write_into(HERE / "README.md", told(results))
        write_into(ROOT / "docs/scaling.md", sized(results))
    print(told(results))
    return 1 if failed else 0


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m bench", description=__doc__)
    parser.add_argument("part", nargs="*", help=f"of {', '.join(PARTS)}; default: all")
    parser.add_argument("--quick", action="store_true", help="a look, not a measurement")
    parser.add_argument("--any-python", action="store_true", help="also without optimisation")
    options = parser.parse_args()
    if unknown := set(options.part) - set(PARTS):
        parser.error(f"there is no part {', '.join(unknown)}")
    options.part = options.part or list(PARTS)
    return options


def measure(results: Results, stage: Stage, plan: Plan, parts: list[str]) -> list[str]:
    """Measure each part; a part that fails does not stop the others."""
    failed = []
    for name in parts:
        print(f"{name}:", flush=True)
        try:
            setattr(results, name, PARTS[name](stage, plan))
        except Exception:
            traceback.print_exc()
            failed.append(name)
    return failed


def keep(results: Results, folder: Path) -> None:
    folder.mkdir(parents=True, exist_ok=True)
    write(results, folder / "results.json")
    draw(results, folder)


if __name__ == "__main__":
    sys.exit(main())
