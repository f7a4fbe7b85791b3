"""Error pages, also while the database is away."""

from __future__ import annotations

import contextlib
import errno
import io
from collections.abc import Iterator
from typing import Any

import psycopg
import pytest
from django.db import OperationalError, connection
from django.http import HttpResponse
from django.test import Client
from django.urls import path

from estuary_admin.urls import handler500  # noqa: F401 - Django looks for it beside `urlpatterns`
from estuary_admin.urls import urlpatterns as all_routes
from estuary_admin.web import static_pages
from estuary_admin.web.errors import server_error
from estuary_admin.web.wsgi_application import ConsoleApplication, is_readable_type
from tests.conftest import HTMX, PASSWORD
from tests.keys.evidence import words_of


def broken(_request: Any) -> HttpResponse:
    raise RuntimeError("in a test")


broken.login_required = False  # type: ignore[attr-defined]
urlpatterns = [path("broken/", broken), *all_routes]


def test_an_unknown_address_is_a_404_page(db: None) -> None:
    response = Client().get("/nothing/here/")

    assert response.status_code == 404
    assert "Page not found" in words_of(response)


@pytest.mark.parametrize(
    ("method", "address", "status"),
    [
        ("GET", "/nothing/here/", 404),
        ("GET", "/keys/nothing-here/", 404),
        ("GET", "/admin-tools/sso/", 403),
        ("GET", "/exports/download/", 405),
    ],
)
def test_a_member_keeps_the_navigation(
    browser: Client, method: str, address: str, status: int
) -> None:
    response = browser.generic(method, address)

    assert response.status_code == status
    assert 'id="nav-keys"' in response.content.decode()
    assert "Sign out" in words_of(response)


def test_an_unknown_host_is_a_400_page(db: None) -> None:
    response = Client().get("/keys/", headers={"host": "evil.example"})

    assert response.status_code == 400
    assert "This request cannot be read" in words_of(response)
    assert "evil.example" not in words_of(response)


def test_a_form_that_is_too_large_is_refused(alice: Any) -> None:
    client = Client()
    client.force_login(alice)

    response = client.post("/account/token/", {"token": "x" * 300_000})

    assert response.status_code == 400


def test_a_form_without_csrf_token_is_refused() -> None:
    response = Client(enforce_csrf_checks=True).post("/accounts/login/")

    assert response.status_code == 403
    assert "This form is out of date" in words_of(response)


@pytest.mark.urls("tests.estuary_admin.web.test_errors")
def test_the_500_page_needs_no_database() -> None:
    client = Client(raise_request_exception=False)

    response = client.get("/broken/")  # pytest-django refuses the database here

    assert response.status_code == 500
    assert "Something broke in this console" in words_of(response)
    assert "in a test" not in words_of(response)
    assert "default-src 'none'" in response["Content-Security-Policy"]
    assert response["X-Request-Id"]


def test_a_lost_database_is_a_500_page(alice: Any, django_db_blocker: Any) -> None:
    client = Client(raise_request_exception=False)
    client.force_login(alice)

    with django_db_blocker.block():
        response = client.get("/keys/")

    assert response.status_code == 500
    assert "Something broke in this console" in words_of(response)


@pytest.mark.parametrize("is_htmx", [True, False])
def test_a_refused_method_is_a_405_page(browser: Client, is_htmx: bool) -> None:
    response = browser.get("/exports/download/", headers=HTMX if is_htmx else {})

    assert response.status_code == 405
    assert response["Allow"] == "POST"
    assert "This address does not work that way" in words_of(response)


def full_disk(_request: Any) -> HttpResponse:
    raise FAILURES.pop()


def of_postgresql(cause: psycopg.Error) -> OperationalError:
    """As Django wraps what PostgreSQL says."""
    error = OperationalError("whatever its language is")
    error.__cause__ = cause
    return error


FAILURES: list[Exception] = []
full_disk.login_required = False  # type: ignore[attr-defined]
urlpatterns.append(path("full/", full_disk))


@pytest.mark.urls("tests.estuary_admin.web.test_errors")
@pytest.mark.parametrize(
    ("error", "status", "sentence"),
    [
        (OperationalError("database or disk is full"), 503, "cannot store anything now"),
        (of_postgresql(psycopg.errors.DiskFull()), 503, "cannot store anything now"),
        (of_postgresql(psycopg.errors.ReadOnlySqlTransaction()), 503, "cannot store anything now"),
        (OperationalError("attempt to write a readonly database"), 503, "can only be read"),
        (OSError(errno.ENOSPC, "No space left on device"), 503, "cannot store anything now"),
        (OSError(errno.EROFS, "Read-only file system"), 503, "cannot store anything now"),
        (RuntimeError("can't start new thread"), 503, "too busy"),
        (OperationalError("no such table"), 500, "Something broke"),
        (OSError(errno.EACCES, "Permission denied"), 500, "Something broke"),
    ],
)
def test_a_full_disk_and_a_lack_of_threads_have_their_own_page(
    error: Exception, status: int, sentence: str
) -> None:
    FAILURES.append(error)

    response = Client(raise_request_exception=False).get("/full/")

    assert response.status_code == status
    assert sentence in words_of(response)
    assert response["X-Request-Id"]


@pytest.mark.urls("tests.estuary_admin.web.test_errors")
def test_a_disk_that_is_full_below_another_error_is_told() -> None:
    error = RuntimeError("the row was not written")
    error.__context__ = OperationalError("database or disk is full")
    FAILURES.append(error)

    assert Client(raise_request_exception=False).get("/full/").status_code == 503


def crashing(environ: Any, start_response: Any) -> Any:
    raise FAILURES.pop()


@pytest.mark.parametrize(
    ("error", "status"), [(ValueError("x"), "500"), (OSError(errno.ENOSPC, "full"), "503")]
)
def test_a_crash_outside_of_django_has_a_page_an_id_and_a_log_line(
    error: Exception, status: str, caplog: pytest.LogCaptureFixture
) -> None:
    FAILURES.append(error)
    started: list[Any] = []

    def start_response(*arguments: Any) -> Any:
        started.append(arguments)

    body = ConsoleApplication(crashing, "")({"PATH_INFO": "/"}, start_response)

    line, headers, _ = started[0]
    found = dict(headers)
    assert line.startswith(status)
    assert b"Estuary Admin" in b"".join(body)
    assert found["Content-Security-Policy"].startswith("default-src 'none'")
    [record] = caplog.records
    assert vars(record)["request_id"] == found["X-Request-Id"]


def test_an_error_page_that_cannot_be_rendered_is_plain_text(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setitem(static_pages.TEMPLATE_OF_STATUS, 418, "missing.html")

    line, headers, body = static_pages.static_response(418)

    assert line.startswith("418 ")
    assert dict(headers)["Content-Type"] == "text/plain"
    assert body == static_pages.PLAIN_PAGE


def test_the_500_page_renders_alone(rf: Any) -> None:
    assert server_error(rf.get("/")).status_code == 500


def test_the_server_starts_with_our_settings() -> None:
    from estuary_admin.wsgi import application

    assert callable(application)


@pytest.fixture
def full_database() -> Iterator[None]:
    """SQLite refuses to grow its file, as on a full disk."""
    if connection.vendor != "sqlite":
        pytest.skip("fills an SQLite file")
    with connection.cursor() as cursor:
        cursor.execute("CREATE TABLE filling (text TEXT)")
        cursor.execute("PRAGMA page_count")
        cursor.execute(f"PRAGMA max_page_count = {cursor.fetchone()[0]}")
        with contextlib.suppress(OperationalError):
            while True:
                cursor.execute("INSERT INTO filling VALUES (%s)", ["x" * 3000])
        yield
        cursor.execute("PRAGMA max_page_count = 1073741823")
        cursor.execute("DROP TABLE filling")


@pytest.mark.django_db(transaction=True)
def test_a_sign_in_on_a_full_disk_says_that_nothing_can_be_stored(
    alice: Any, full_database: None
) -> None:
    form = {"login": "alice", "password": PASSWORD}
    for _ in range(100):  # a few still fit into pages that are partly filled
        response = Client(raise_request_exception=False).post("/accounts/login/", form)
        if response.status_code != 302:
            break

    assert response.status_code == 503
    assert "cannot store anything now" in words_of(response)


def test_an_unknown_address_is_not_found_also_when_the_member_cannot_be_read(alice: Any) -> None:
    def away(execute: Any, sql: str, *rest: Any) -> Any:
        if "auth_user" in sql:
            raise OperationalError("in a test")
        return execute(sql, *rest)

    client = Client(raise_request_exception=False)
    client.force_login(alice)

    with connection.execute_wrapper(away):
        response = client.get("/no-such-page/")

    assert response.status_code == 404
    assert "<nav" not in response.content.decode()


@pytest.mark.parametrize(
    ("charset", "is_readable"),
    [
        ("charset=utf-8", True),
        ("charset=us-ascii", True),
        ("charset=unheard-of", True),  # Django takes UTF-8 then
        ("charset=utf-16", False),
        ("charset*=nonsense''a", False),
        ("charset*=utf-8''a%00b", False),
    ],
)
def test_a_form_is_read_only_in_a_charset_that_is_safe(charset: str, is_readable: bool) -> None:
    content_type = f"application/x-www-form-urlencoded; {charset}"

    assert is_readable_type(content_type) == is_readable


def test_an_upload_is_a_400_page_and_writes_no_file(db: None) -> None:
    response = Client().post("/accounts/login/", {"login": io.BytesIO(b"x" * 100)})

    assert response.status_code == 400
    assert "<title>" in response.content.decode()
