"""Where prepared exports are kept, as EXPORT_STORAGE says: a folder, or a bucket of an S3 store."""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from pathlib import Path

from django.core.exceptions import ImproperlyConfigured

from estuary_admin import environment as env

_bucket_name = re.compile(r"[a-z0-9][a-z0-9.-]{1,61}[a-z0-9]")
_prefix = re.compile(r"[A-Za-z0-9_.-]+(/[A-Za-z0-9_.-]+)*")


@dataclass(frozen=True, slots=True)
class Bucket:
    """A place in an S3-compatible store, and how it is reached."""

    name: str
    prefix: str  # of every file's name there; "" for none
    endpoint: str  # "" for Amazon's own
    region: str
    access_key: str = field(repr=False)  # "": boto3 looks for credentials itself
    secret_key: str = field(repr=False)

    def __str__(self) -> str:
        return f"s3://{self.name}/{self.prefix}".rstrip("/")


def read_export_storage(default: Path) -> Path | Bucket:
    """Read EXPORT_STORAGE and what belongs to it; a folder is created."""
    value = env.text("EXPORT_STORAGE", str(default))
    endpoint = env.text("EXPORT_STORAGE_ENDPOINT", "").rstrip("/")
    region = env.text("EXPORT_STORAGE_REGION", "")
    access_key = env.text("EXPORT_STORAGE_ACCESS_KEY", "")
    secret_key = env.text("EXPORT_STORAGE_SECRET_KEY", "")
    if "://" not in value and not value.lower().startswith("s3:"):
        return env.folder("EXPORT_STORAGE", default)
    scheme, _, place = value.partition("://")
    name, _, prefix = place.strip("/").partition("/")
    is_place = _bucket_name.fullmatch(name) and (not prefix or _prefix.fullmatch(prefix))
    if scheme != "s3" or not is_place or ".." in place:
        raise ImproperlyConfigured(
            "EXPORT_STORAGE must be a folder, or a bucket such as s3://my-bucket/estuary-admin."
        )
    if bool(access_key) != bool(secret_key):
        raise ImproperlyConfigured(
            "Set both EXPORT_STORAGE_ACCESS_KEY and EXPORT_STORAGE_SECRET_KEY, or neither."
        )
    if endpoint:
        env.checked_url("EXPORT_STORAGE_ENDPOINT", endpoint, http_anywhere=True)
    return Bucket(name, prefix, endpoint, region, access_key, secret_key)
