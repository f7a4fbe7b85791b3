"""Secrets that others send us: one value, or the new and the old one while it is changed."""

from __future__ import annotations

import hmac

from django.core.exceptions import ImproperlyConfigured

SHORTEST = 16


def checked(name: str, values: list[str]) -> tuple[str, ...]:
    if len(values) > 2 or any(len(one) < SHORTEST or not one.isascii() for one in values):
        raise ImproperlyConfigured(
            f"{name} takes one value, or the new and the old one with a comma between "
            f"them, each of at least {SHORTEST} ASCII characters; `openssl rand -hex 32` makes one."
        )
    return tuple(values)


def is_one_of(given: str, values: tuple[str, ...]) -> bool:
    # All of them, whatever the first says: the time taken tells nothing.
    same = [hmac.compare_digest(given.encode(), value.encode()) for value in values]
    return any(same)
