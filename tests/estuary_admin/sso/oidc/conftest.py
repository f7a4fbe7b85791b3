"""A console with one scripted provider, and the steps of a sign-in there."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Any
from urllib.parse import parse_qs, urlsplit

import pytest
from django.conf import LazySettings
from django.test import Client

from estuary_admin.sso.config import Config, Provider
from estuary_admin.sso.key_sets import key_set
from tests.estuary_admin.sso.conftest import use
from tests.estuary_admin.sso.oidc.scripted_provider import ScriptedProvider
from tests.keys.evidence import words_of


@pytest.fixture(scope="module")
def running() -> Iterator[ScriptedProvider]:
    with ScriptedProvider() as provider:
        yield provider


@pytest.fixture
def provider(running: ScriptedProvider) -> ScriptedProvider:
    running.forget()
    key_set.cache_clear()
    return running


@pytest.fixture(autouse=True)
def oidc(settings: LazySettings, db: None, provider: ScriptedProvider) -> Config:
    corp = Provider("corp", "Corp", provider.url, "console", "the-secret-of-the-client")
    return use(
        settings,
        Config(
            mode="oidc",
            providers=(corp,),
            groups_claim="groups",
            admin_groups=frozenset({"admins"}),
        ),
    )


def begin(client: Client, **form: str) -> dict[str, str]:
    """Press the button; returns the parameters of the request to the provider."""
    response = client.post("/accounts/oidc/corp/login/", form)
    found = re.search(r'url=([^"]*)">', response.content.decode())
    assert found, words_of(response)
    return {
        name: values[0]
        for name, values in parse_qs(urlsplit(found[1].replace("&amp;", "&")).query).items()
    }


def come_back(client: Client, asked: dict[str, str], **changed: str) -> Any:
    query = {"code": "one-time", "state": asked["state"], **changed}
    return client.get("/accounts/oidc/corp/callback/", query)


def sign_in(provider: ScriptedProvider, client: Client | None = None, **claims: Any) -> Any:
    client = client or Client()
    asked = begin(client)
    provider.answers(**{"nonce": asked["nonce"], **claims})
    return come_back(client, asked)
