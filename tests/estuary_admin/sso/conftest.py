"""A console behind a proxy, and browsers whose requests the proxy passes on."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest
from django.conf import LazySettings
from django.test import Client

from estuary_admin.sso.config import Config, Headers
from estuary_admin.sso.trusted_proxies import Peers

PROXY = "10.0.0.5"
STRANGER = "198.51.100.9"
HEADERS = Headers(
    user="Remote-User",
    stable_id="",
    email="Remote-Email",
    name="Remote-Name",
    groups="Remote-Groups",
    separator=",",
)
BEHIND_PROXY = Config(
    mode="proxy-header",
    preset="authelia",
    peers=Peers.of([PROXY]),
    headers=HEADERS,
    groups_claim="",
    admin_groups=frozenset({"console-admins"}),
)


def use(settings: LazySettings, sso: Config) -> Config:
    settings.SSO = sso
    settings.AUTHENTICATION_BACKENDS = sso.backends
    return sso


def change(settings: LazySettings, **values: Any) -> None:
    use(settings, replace(settings.SSO, **values))


class Browser(Client):
    """Sends the headers that the proxy adds for the person who is signed in there."""

    def __init__(self, user: str = "", *, peer: str = PROXY) -> None:
        super().__init__(REMOTE_ADDR=peer)
        self.brings({"Remote-User": user} if user else {})

    def brings(self, headers: dict[str, str]) -> None:
        self.brought = headers

    def generic(self, *args: Any, **kwargs: Any) -> Any:
        kwargs["headers"] = {**self.brought, **(kwargs.get("headers") or {})}
        return super().generic(*args, **kwargs)

    @property
    def member_id(self) -> str | None:
        return self.session.get("_auth_user_id")


@pytest.fixture
def proxied(settings: LazySettings, db: None) -> Config:
    """Mode `proxy-header` with one trusted proxy and roles by groups."""
    return use(settings, BEHIND_PROXY)
