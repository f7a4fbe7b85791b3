"""The stage of the bench, with the members of its smallest plan."""

from __future__ import annotations

import os
import shutil
from collections.abc import Iterator

import pytest

from bench.plan import TINY
from bench.stage import Stage, staged
from tests.support.processes import skip_when_fast


@pytest.fixture(scope="session")
def stage() -> Iterator[Stage]:
    skip_when_fast()
    for program in ("wrk", "curl"):
        if not shutil.which(program):
            if os.environ.get("CI") == "true":
                pytest.fail(f"CI must have {program}: install Debian's package {program}")
            pytest.skip(f"no {program} on this machine")
    with staged(TINY.accounts()) as ready:
        yield ready
