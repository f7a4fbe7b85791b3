"""Secrets that other programs send us: one value, or two while it is being replaced."""

from __future__ import annotations

import hmac

from django.core.exceptions import ImproperlyConfigured

MIN_SECRET_LENGTH = 16


def checked(name: str, values: list[str]) -> tuple[str, ...]:
    if len(values) > 2 or any(
        len(value) < MIN_SECRET_LENGTH or not value.isascii() for value in values
    ):
        raise ImproperlyConfigured(
            f"{name} takes one value, or the new and the old one with a comma between them, each "
            f"of at least {MIN_SECRET_LENGTH} ASCII characters; `openssl rand -hex 32` makes one."
        )
    return tuple(values)


def is_one_of(given: str, values: tuple[str, ...]) -> bool:
    # Compare with all of them: the time taken must not tell which one matches.
    matches = [hmac.compare_digest(given.encode(), value.encode()) for value in values]
    return any(matches)
