"""EXPORT_STORAGE as a bucket."""

from __future__ import annotations

from pathlib import Path

import pytest
from django.core.exceptions import ImproperlyConfigured

from estuary_admin.storage.export_storage import Bucket, read_export_storage


@pytest.fixture
def bucket(monkeypatch: pytest.MonkeyPatch) -> pytest.MonkeyPatch:
    monkeypatch.setenv("EXPORT_STORAGE", "s3://exports/console")
    monkeypatch.setenv("EXPORT_STORAGE_ACCESS_KEY", "key")
    monkeypatch.setenv("EXPORT_STORAGE_SECRET_KEY", "nobody may read this")
    return monkeypatch


@pytest.mark.parametrize("endpoint", ["", "http://s3.example.com:9000"])
def test_a_bucket_is_read_with_its_credentials(bucket: pytest.MonkeyPatch, endpoint: str) -> None:
    bucket.setenv("EXPORT_STORAGE_ENDPOINT", endpoint)

    found = read_export_storage(Path("unused"))

    assert found == Bucket("exports", "console", endpoint, "", "key", "nobody may read this")
    assert str(found) == "s3://exports/console"
    assert "nobody" not in repr(found)


def test_an_endpoint_that_is_no_address_stops_the_start(bucket: pytest.MonkeyPatch) -> None:
    bucket.setenv("EXPORT_STORAGE_ENDPOINT", "s3.example.com")

    with pytest.raises(ImproperlyConfigured, match="EXPORT_STORAGE_ENDPOINT"):
        read_export_storage(Path("unused"))


def test_half_of_the_credentials_stops_the_start(bucket: pytest.MonkeyPatch) -> None:
    bucket.delenv("EXPORT_STORAGE_SECRET_KEY")

    with pytest.raises(ImproperlyConfigured, match="or neither"):
        read_export_storage(Path("unused"))
