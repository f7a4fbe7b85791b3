"""The bench measures every page, and its profile names files that exist."""

from __future__ import annotations

from bench import profile, routes
from bench.plan import TINY
from bench.stage import ROOT, Stage
from tests.estuary_admin.web.test_routes import routes as console_routes


def test_every_route_is_measured_or_has_a_reason() -> None:
    names = {str(route.name) for route in console_routes()}

    assert not routes.ROUTES.keys() & routes.NOT_MEASURED.keys()
    assert routes.ROUTES.keys() | routes.NOT_MEASURED.keys() == names


def test_every_file_of_a_layer_exists() -> None:
    ours = [
        place
        for places in profile.LAYERS.values()
        for place in places
        if place.startswith(("keys/", "estuary_admin/"))
    ]

    assert [place for place in ours if not (ROOT / place).exists()] == []


def test_each_page_is_compared_with_a_keys_page(stage: Stage) -> None:
    found = {one.name: one for one in routes.measure(stage, TINY)}

    assert found.keys() == routes.ROUTES.keys()
    assert found[routes.KEY_PAGE].ratio == 1
    assert all(one.cpu_ms > 0 for one in found.values())
