"""Any process of gunicorn reports the sum of all."""

from __future__ import annotations

import os
import signal
import urllib.error
import urllib.request
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
from prometheus_client.parser import text_string_to_metric_families

from keys.sandbox import Sandbox
from tests.support.console import Console
from tests.support.processes import wait_until

TOKEN = "the-token-of-the-monitor"


def fetch(url: str, **headers: str) -> str:
    request = urllib.request.Request(url, headers=headers)  # closes its connection after it
    with urllib.request.urlopen(request, timeout=10) as response:
        text: str = response.read().decode()
    return text


def asked(console: Console) -> dict[str, float]:
    """The number of requests by route, as one process reports it."""
    text = fetch(f"{console.url}/metrics", Authorization=f"Bearer {TOKEN}")
    return {
        sample.labels["route"]: sample.value
        for family in text_string_to_metric_families(text)
        for sample in family.samples
        if sample.name == "estuary_admin_requests_total"
    }


def children_of(pid: int) -> list[int]:
    return [int(child) for child in Path(f"/proc/{pid}/task/{pid}/children").read_text().split()]


def test_any_process_reports_the_sum_of_all(tmp_path: Path) -> None:
    temporary = tmp_path / "tmp"
    temporary.mkdir()
    settings = {
        "METRICS_TOKEN": TOKEN,
        "WEB_CONCURRENCY": "2",
        "WEB_THREADS": "2",
        "TMPDIR": str(temporary),
    }
    with (
        Sandbox(rate_limit=None) as node,
        Console(tmp_path, node, [], environment=settings) as console,
    ):
        login = f"{console.url}/accounts/login/"
        with ThreadPoolExecutor(8) as pool:
            list(pool.map(fetch, [login] * 60))
        [folder] = temporary.glob("estuary-admin-metrics-*")
        pids = {path.stem.split("_")[-1] for path in folder.glob("counter_*.db")}
        assert pids == {str(pid) for pid in children_of(console.pid)}, "one did nothing"
        assert {asked(console)["accounts/login/"] for _ in range(8)} == {60}

        os.kill(children_of(console.pid)[0], signal.SIGKILL)
        wait_until(lambda: len(set(children_of(console.pid)) | {int(pid) for pid in pids}) == 3)
        fetch(login)

        assert asked(console)["accounts/login/"] == 61  # what the dead one counted stays
    assert list(temporary.glob("estuary-admin-metrics-*")) == []


@pytest.mark.parametrize("headers", [{}, {"Authorization": "Bearer wrong"}])
def test_nobody_else_gets_the_metrics(tmp_path: Path, headers: dict[str, str]) -> None:
    with (
        Sandbox(rate_limit=None) as node,
        Console(tmp_path, node, [], environment={"METRICS_TOKEN": TOKEN}) as console,
        pytest.raises(urllib.error.HTTPError, match="404"),
    ):
        fetch(f"{console.url}/metrics", **headers)
