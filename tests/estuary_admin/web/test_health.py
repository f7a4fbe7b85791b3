"""What probes are told."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
from django.conf import settings
from django.core.cache import cache
from django.db import connection
from django.test import Client

from estuary_admin.storage import databases
from estuary_admin.web import health
from keys.sandbox import Sandbox

#: The dependencies that this package registers itself; apps add theirs.
OWN = ("database", "cache", "sealing_keys")


@pytest.fixture
def _cache_in_the_database(settings: Any) -> None:
    settings.CACHES = settings.CACHES | {"default": databases.DATABASE_CACHE}


def test_healthz_needs_no_database() -> None:
    response = Client().get("/healthz")  # pytest-django refuses the database here

    assert response.content == b"ok"
    assert response["Content-Type"] == "text/plain"


@pytest.mark.parametrize("path", ["/healthz", "/readyz"])
def test_a_probe_with_a_session_cookie_needs_no_database(path: str) -> None:
    client = Client()
    client.cookies[settings.SESSION_COOKIE_NAME] = "a" * 32

    assert client.get(path).status_code in {200, 503}  # and pytest-django refuses the database


def test_readyz_reports_that_everything_works(node: Sandbox, db: None) -> None:
    response = Client().get("/readyz")

    assert response.status_code == 200
    assert [response.json()[name] for name in OWN] == ["ok", "ok", "ok"]
    assert node.requests == []


@pytest.mark.usefixtures("_cache_in_the_database")
def test_readyz_fails_without_a_database() -> None:
    response = Client().get("/readyz")  # pytest-django refuses the database here

    assert response.status_code == 503
    assert response.json()["database"] == "failed"
    assert response.json()["cache"] == "failed"
    assert response.json()["sealing_keys"] == "ok"


@pytest.mark.usefixtures("_cache_in_the_database")
@pytest.mark.django_db
def test_readyz_fails_without_the_cache() -> None:
    with connection.cursor() as cursor:
        cursor.execute("DROP TABLE cache")

    response = Client().get("/readyz")

    assert response.status_code == 503
    assert response.json()["cache"] == "failed"
    assert response.json()["database"] == "ok"


@pytest.mark.django_db
@pytest.mark.parametrize("keys", [[], ["too-short"]])
def test_readyz_fails_without_sealing_keys(settings: Any, keys: list[str]) -> None:
    settings.TOKEN_SEALING_KEYS = keys

    response = Client().get("/readyz")

    assert response.status_code == 503
    assert [response.json()[name] for name in OWN] == ["ok", "ok", "failed"]


@pytest.mark.usefixtures("_cache_in_the_database")
@pytest.mark.django_db
def test_the_cache_is_shared_by_all_processes() -> None:
    cache.set("a", 1)

    with connection.cursor() as cursor:
        cursor.execute("SELECT count(*) FROM cache")
        assert cursor.fetchone() == (1,)


@pytest.fixture
def registered(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(health, "_dependencies", dict(health._dependencies))


@pytest.mark.usefixtures("registered")
@pytest.mark.django_db
def test_an_app_adds_its_own_dependency() -> None:
    health.register_dependency("estuary", lambda: {"clock": "3600 s ahead"}, is_required=False)

    response = Client().get("/readyz")

    assert response.status_code == 200
    assert response.json()["estuary"] == {"clock": "3600 s ahead"}


def broken() -> str:
    raise RuntimeError("in a test")


@pytest.mark.usefixtures("registered")
@pytest.mark.django_db
@pytest.mark.parametrize("check", [broken, lambda: "failed"])
@pytest.mark.parametrize(("is_required", "status"), [(True, 503), (False, 200)])
def test_only_a_required_dependency_makes_the_console_unready(
    check: Callable[[], str], is_required: bool, status: int
) -> None:
    health.register_dependency("worker", check, is_required=is_required)

    response = Client().get("/readyz")

    assert response.status_code == status
    assert response.json()["worker"] == "failed"
