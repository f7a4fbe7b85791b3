"""The production settings, without the limits that would block many sign-ins of tests."""

from __future__ import annotations

from estuary_admin.settings import *  # noqa: F403

PASSWORD_HASHERS = ["django.contrib.auth.hashers.MD5PasswordHasher"]  # half a second by design
ACCOUNT_RATE_LIMITS = {"login": "1000/m/ip"}  # wrong passwords count as ever
