"""Grafana's dashboard asks for metrics and labels that `/metrics` has."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any

import pytest
from django.test import Client
from prometheus_client.parser import text_string_to_metric_families

from keys import metrics

ROOT = Path(__file__).resolve().parents[2]
DASHBOARD = json.loads((ROOT / "deploy/grafana/estuary-admin.json").read_text(encoding="utf-8"))
QUERIES = [
    (panel["title"], target["expr"]) for panel in DASHBOARD["panels"] for target in panel["targets"]
]
METRIC = re.compile(r"\b(estuary_admin_\w+)(?:{([^}]*)})?")
ADDED_BY_PROMETHEUS = {"instance", "job", "le"}


@pytest.fixture
def told(settings: Any, db: None) -> dict[str, set[str]]:
    """Each sample's name with the names of its labels, as a monitor is told them."""
    settings.METRICS_TOKENS = ("the-token-of-the-monitor",)
    metrics.UPSTREAM_CALLS.labels("list", "ok")
    metrics.UPSTREAM_SECONDS.labels("list")
    metrics.EXPORTS.labels("done")
    Client().get("/healthz")
    Client().post("/accounts/login/", {"login": "nobody", "password": "wrong"})
    answer = Client().get("/metrics", headers={"Authorization": "Bearer the-token-of-the-monitor"})
    families = list(text_string_to_metric_families(answer.content.decode()))
    found = {family.name: set[str]() for family in families}  # some have no samples yet
    found |= {f"{family.name}_total": set() for family in families if family.type == "counter"}
    for family in families:
        for sample in family.samples:
            found[sample.name] = set(sample.labels)
    return found


@pytest.mark.parametrize(("title", "query"), QUERIES)
def test_every_query_asks_for_what_is_there(
    told: dict[str, set[str]], title: str, query: str
) -> None:
    asked = METRIC.findall(query)
    assert asked, query
    grouped = {
        label.strip()
        for labels in re.findall(r"by \(([^)]*)\)", query)
        for label in labels.split(",")
    }

    for name, selectors in asked:
        assert name in told
        labels = {part.split("=")[0].strip(" !") for part in selectors.split(",") if part}
        has_no_samples = not told[name] and name.startswith("estuary_admin_work_waiting")
        known = told[name] | ADDED_BY_PROMETHEUS | ({"kind"} if has_no_samples else set())
        assert labels | grouped <= known, query


def test_every_metric_has_a_panel(told: dict[str, set[str]]) -> None:
    asked = {name for _, query in QUERIES for name, _ in METRIC.findall(query)}
    shown = {re.sub(r"_(total|bucket|info|timestamp_seconds)$", "", name) for name in asked}
    families = {
        re.sub(r"_(total|bucket|sum|count|created|info|timestamp_seconds)$", "", name)
        for name in told
    }

    assert {name for name in families - shown if "since" not in name} <= {
        "estuary_admin_audit_head",  # a hash
        "estuary_admin_worker_seen",
    }


def test_panels_do_not_overlap_and_names_are_unique() -> None:
    places = [panel["gridPos"] for panel in DASHBOARD["panels"]]
    cells = [
        (x, y)
        for place in places
        for x in range(place["x"], place["x"] + place["w"])
        for y in range(place["y"], place["y"] + place["h"])
    ]

    assert len(cells) == len(set(cells))
    assert max(x for x, _ in cells) == 23
    assert len({panel["title"] for panel in DASHBOARD["panels"]}) == len(DASHBOARD["panels"])
