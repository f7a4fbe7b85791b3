"""The settings of production, but for the half second that a password takes by design."""

from __future__ import annotations

from estuary_admin.settings import *  # noqa: F403

PASSWORD_HASHERS = ["django.contrib.auth.hashers.MD5PasswordHasher"]
