"""Malformed addresses in headers break no page."""

from __future__ import annotations

import pytest
from django.test import Client

from tests.conftest import HTMX
from tests.estuary_admin.web.test_routes import every_route, path_of

BROKEN = ["http://[::1", "//[", "http://testserver:port/", "%ff"]


@every_route
@pytest.mark.parametrize("value", BROKEN)
@pytest.mark.django_db
def test_a_malformed_header_is_no_server_error(route: object, browser: Client, value: str) -> None:
    path = path_of(route)  # type: ignore[arg-type]
    headers = {"HX-Current-URL": value, "Referer": value, "Origin": value}

    for client in (Client(raise_request_exception=False), browser):
        client.raise_request_exception = False
        for answer in (
            client.get(path, headers=headers | HTMX),
            client.post(path, headers=headers | HTMX),
            client.post(path, headers=headers),
        ):
            assert answer.status_code < 500
            answer.getvalue()  # an export would stay open
