"""The production settings, in an environment fit for tests."""

from __future__ import annotations

import os
import tempfile

os.environ.update(
    SECRET_KEY="only-for-tests-" + "x" * 50,
    TOKEN_SEALING_KEYS="MDEyMzQ1Njc4OWFiY2RlZjAxMjM0NTY3ODlhYmNkZWY=",
    DATA_DIR=tempfile.mkdtemp(prefix="estuary-admin-tests-"),
    PUBLIC_URL="http://localhost:8000",
    ESTUARY_API_URL="http://127.0.0.1:9",  # nobody listens there; tests name their own node
)

from estuary_admin.settings import *  # noqa: F403

PASSWORD_HASHERS = ["django.contrib.auth.hashers.MD5PasswordHasher"]
STORAGES["staticfiles"] = {  # noqa: F405
    "BACKEND": "django.contrib.staticfiles.storage.StaticFilesStorage"
}
WHITENOISE_AUTOREFRESH = True
# A file, as in production: threads on one in-memory database would not wait for each other.
DATABASES["default"]["TEST"] = {"NAME": DATA_DIR / "tests.sqlite3"}  # noqa: F405
