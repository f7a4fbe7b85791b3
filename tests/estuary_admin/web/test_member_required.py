"""Requests without a session are sent to sign-in."""

from __future__ import annotations

from django.test import Client

from keys.sandbox import Sandbox
from tests.conftest import HTMX


def test_a_signed_out_htmx_request_leaves_the_page(node: Sandbox, db: None) -> None:
    response = Client().get("/keys/?q=x", headers=HTMX)

    assert response["HX-Redirect"] == "/accounts/login/"
    assert node.requests == []
