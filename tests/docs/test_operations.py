"""docs/operations.md names what exists, and its commands run."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import pytest
import yaml
from django.test import Client

from estuary_admin.checks.deployment import MISTAKES
from estuary_admin.observability.metrics import AllMetrics
from keys import metrics
from tests.docs.pages import block
from tests.docs.test_install import Installed, installed

__all__ = ["installed"]

ROOT = Path(__file__).resolve().parents[2]
PAGE = (ROOT / "docs/operations.md").read_text(encoding="utf-8")


@pytest.mark.django_db
def test_every_metric_is_described_with_its_labels() -> None:
    metrics.UPSTREAM_CALLS.labels("list", "ok")
    rows = re.findall(r"^\| `(estuary_admin_\w+)` \| (\w+) \| (.*?) \|", PAGE, re.MULTILINE)
    written = {name: (kind, set(re.findall(r"`(\w+)`", labels))) for name, kind, labels in rows}

    told = {metric.name: metric.type for metric in AllMetrics().collect()}

    assert {name: kind for name, (kind, _) in written.items()} == told
    for metric in AllMetrics().collect():
        for sample in metric.samples:
            assert set(sample.labels) - {"le"} == written[metric.name][1]


def test_every_mistake_in_the_settings_is_listed() -> None:
    section = PAGE.partition("## Mistakes in the settings")[2].partition("\n## ")[0]

    listed = sorted(re.findall(r"`([EW]\d+)`", section))

    assert listed == sorted(mistake.id for mistake in MISTAKES)


@pytest.mark.django_db
def test_alerts_ask_for_metrics_that_are_there() -> None:
    text = block("operations.md", "groups:").text
    rules = [rule for group in yaml.safe_load(text)["groups"] for rule in group["rules"]]
    asked = {name for rule in rules for name in re.findall(r"estuary_admin_\w+", rule["expr"])}
    told = {metric.name for metric in AllMetrics().collect()}

    assert len(rules) == len({rule["alert"] for rule in rules}) > 5
    assert {re.sub(r"_(total|bucket|info)$", "", name) for name in asked} <= told
    for rule in rules:
        assert set(re.findall(r'route!?="([^"]+)"', rule["expr"])) <= {"exports/download/"}


@pytest.mark.django_db
def test_prometheus_asks_an_address_that_answers(settings: Any) -> None:
    [job] = yaml.safe_load(block("operations.md", "scrape_configs:").text)["scrape_configs"]
    [target] = job["static_configs"][0]["targets"]
    settings.METRICS_TOKENS = ("the-token-of-the-monitor",)
    settings.SECURE_SSL_REDIRECT = True  # as with an https PUBLIC_URL

    answer = Client().get(
        job.get("metrics_path", "/metrics"),
        HTTP_HOST=target,
        HTTP_AUTHORIZATION="Bearer the-token-of-the-monitor",
        secure=job.get("scheme", "http") == "https",
    )

    assert job["authorization"]["credentials_file"]
    assert answer.status_code == 200


def test_the_doctor_and_a_backup_run_as_written(installed: Installed) -> None:
    doctor = block("operations.md", "sudo estuary-admin doctor").text.strip()
    backup = block("operations.md", "sudo estuary-admin backup").text

    said = installed.host.run(f"{doctor} || true")  # no worker runs here
    installed.host.run(backup)

    assert re.findall(r"^BROKEN +(\w+)", said, re.MULTILINE) == ["Worker"]
    assert list(installed.host.path("/var/lib/estuary-admin/backups").glob("*.sqlite3"))
    assert "The last backup is 0 days and 0 hours old" in installed.host.run(f"{doctor} || true")


def test_the_lines_for_cron_run_as_written(installed: Installed) -> None:
    lines = block("operations.md", "root estuary-admin prune").text.splitlines()
    path, *jobs = lines

    assert path.startswith("PATH=/usr/local/sbin:")
    for line in jobs:
        found = re.fullmatch(r"\d+ \d+ \* \* \* root (estuary-admin .*)", line)
        assert found, line
        installed.host.run(found[1])
    assert [line.split()[7] for line in jobs] == ["prune", "backup"]


def test_every_event_named_is_one_that_is_logged() -> None:
    [listed] = re.findall(r"Events worth a look: (.*?)\.\n", PAGE, re.DOTALL)
    code = "".join(
        path.read_text(encoding="utf-8")
        for folder in ("keys", "estuary_admin")
        for path in (ROOT / folder).rglob("*.py")
    )

    for event in re.findall(r"`(\w+)`", listed):
        assert f'"{event}"' in code
