"""The production settings in a test environment."""

from __future__ import annotations

import atexit
import os
import shutil
import tempfile

# Another database, and a Redis in front of it: `make test-postgres` names them. Each of pytest's
# processes has its own database (pytest-django sees to that) and its own number in Redis.
ELSEWHERE = {
    "DATABASE_URL": os.environ.get("TEST_DATABASE_URL", ""),
    "REDIS_URL": os.environ.get("TEST_REDIS_URL", ""),
}
if ELSEWHERE["REDIS_URL"]:
    ELSEWHERE["REDIS_URL"] += "/" + os.environ.get("PYTEST_XDIST_WORKER", "gw0").removeprefix("gw")

HERE = tempfile.mkdtemp(prefix="estuary-admin-tests-")
atexit.register(shutil.rmtree, HERE, ignore_errors=True)

os.environ.update(
    SECRET_KEY="only-for-tests-" + "x" * 50,
    TOKEN_SEALING_KEYS="MDEyMzQ1Njc4OWFiY2RlZjAxMjM0NTY3ODlhYmNkZWY=",
    DATA_DIR=HERE,
    PUBLIC_URL="http://localhost:8000",
    ESTUARY_API_URL="http://127.0.0.1:9",  # nobody listens there; tests name their own node
    **ELSEWHERE,
)

from estuary_admin.settings import *  # noqa: E402, F403

for name in ELSEWHERE:  # what tests start has databases of its own
    del os.environ[name]
PASSWORD_HASHERS = ["django.contrib.auth.hashers.MD5PasswordHasher"]
STORAGES["staticfiles"] = {  # noqa: F405
    "BACKEND": "django.contrib.staticfiles.storage.StaticFilesStorage"
}
WHITENOISE_AUTOREFRESH = WHITENOISE_USE_FINDERS = True
if not ELSEWHERE["DATABASE_URL"]:
    # A file, as in production: threads on one in-memory database would not wait for each other.
    DATABASES["default"]["TEST"] = {"NAME": DATA_DIR / "tests.sqlite3"}  # noqa: F405
